/** The entry point `ottla/kafkajs`: the API of kafkajs over Ottla's client. See docs/from-kafkajs.md. */
import * as all from './kafkajs/all.ts'

export * from './kafkajs/all.ts'
export default all
