/** The version of this package, as package.json says: for people, and for brokers (KIP-511). */
export const softwareVersion = '0.1.0'
