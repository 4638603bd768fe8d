/** The public API: re-exports only. */
export { Broker, type BrokerAddress, type BrokerOptions } from './broker/broker.ts'
