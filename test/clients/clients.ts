/** The clients that are run: the columns of docs/clients.md, in this order. */

export interface Client {
  /** The name in topics and groups, and what `npm run test:clients -- NAME` takes. */
  readonly name: string
  readonly title: string
  /** The command that sets it up, from this folder. The default is NAME/setup. */
  readonly setup?: readonly [string, ...string[]]
}

export const clients: readonly Client[] = [
  { name: 'java', title: 'Java client' },
  { name: 'kafka-tools', title: "Kafka's console tools" },
  { name: 'kcat', title: 'kcat' },
  { name: 'python', title: 'confluent-kafka-python' },
  { name: 'aiokafka', title: 'aiokafka' },
  { name: 'franz-go', title: 'franz-go', setup: ['go/setup', 'franz-go'] },
  { name: 'sarama', title: 'Sarama', setup: ['go/setup', 'sarama'] },
  { name: 'rust', title: 'rust-rdkafka' },
  { name: 'kafkajs', title: 'kafkajs' },
  { name: 'platformatic', title: '@platformatic/kafka' },
]
