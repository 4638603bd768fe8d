/** Where ottla/kafkajs differs from kafkajs on purpose: for each program its facts, and why. */
export const knownDifferences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  administer: {
    'delete records that are not there':
      'the error that says which partitions were refused; kafkajs hides it in a KafkaJSNonRetriableError',
  },
}
