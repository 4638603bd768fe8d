// @ts-nocheck: its types come with what npm ci installs here; tsc compiles it and no more.
/** A NestJS microservice and its client, in one process. Nothing in it knows which kafkajs it gets. */
import 'reflect-metadata'
import { Controller, Inject, Injectable, Module, type OnModuleInit } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import {
  type ClientKafka,
  ClientsModule,
  Ctx,
  EventPattern,
  type KafkaContext,
  KafkaRetriableException,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices'
import { firstValueFrom } from 'rxjs'

const [bootstrap = '', prefix = ''] = process.argv.slice(2)
const named = (name: string) => `${prefix}-${name}`
const client = {
  clientId: named('app'),
  brokers: [bootstrap],
  logLevel: 1,
  retry: { initialRetryTime: 50, retries: 3 },
}
const consumer = { groupId: named('app'), maxWaitTimeInMs: 100, heartbeatInterval: 500 }
const options = { client, consumer }

function say(fact: string, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ fact, value }).replaceAll(`${prefix}-`, '')}\n`)
}

const events: unknown[] = []
let attempts = 0

@Controller()
class Numbers {
  @MessagePattern(named('sum'))
  sum(@Payload() numbers: number[], @Ctx() context: KafkaContext) {
    const { headers, key } = context.getMessage()
    return {
      sum: numbers.reduce((sum, each) => sum + each, 0),
      topic: context.getTopic(),
      key,
      headers: Object.keys(headers ?? {}).sort(),
    }
  }

  @MessagePattern(named('refused'))
  refused() {
    throw new RpcException('not today')
  }

  @MessagePattern(named('slow'))
  async slow(@Payload() { at }: { at: number }) {
    await new Promise(resolve => setTimeout(resolve, 5))
    return at
  }

  @EventPattern(named('noted'))
  noted(@Payload() event: unknown, @Ctx() context: KafkaContext) {
    events.push({ event, offset: context.getMessage().offset, partition: context.getPartition() })
  }

  @EventPattern(named('retried'))
  async retried() {
    attempts++
    if (attempts < 3) throw new KafkaRetriableException('again')
  }
}

@Injectable()
class Caller implements OnModuleInit {
  constructor(@Inject('KAFKA') readonly kafka: ClientKafka) {}

  async onModuleInit() {
    for (const name of ['sum', 'refused', 'slow']) this.kafka.subscribeToResponseOf(named(name))
    await this.kafka.connect()
  }
}

@Module({
  imports: [ClientsModule.register([{ name: 'KAFKA', transport: Transport.KAFKA, options }])],
  providers: [Caller],
})
class ClientModule {}

@Module({ controllers: [Numbers] })
class ServerModule {}

async function until(isTrue: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 200 && !isTrue(); turn++)
    await new Promise(resolve => setTimeout(resolve, 50))
  return isTrue()
}

async function createTopics() {
  const { Kafka } = require('kafkajs')
  const admin = new Kafka(client).admin()
  await admin.connect()
  const names = [
    'sum',
    'refused',
    'slow',
    'noted',
    'retried',
    'sum.reply',
    'refused.reply',
    'slow.reply',
  ]
  await admin.createTopics({
    waitForLeaders: false,
    topics: names.map(name => ({ topic: named(name), numPartitions: 2 })),
  })
  for (const name of names) {
    for (let turn = 0; turn < 50; turn++) {
      const isThere = await admin.fetchTopicMetadata({ topics: [named(name)] }).catch(() => false)
      if (isThere) break
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
  await admin.disconnect()
}

async function main() {
  await createTopics()
  const logger: ['error'] = ['error']
  const server = await NestFactory.createMicroservice(ServerModule, {
    logger,
    transport: Transport.KAFKA,
    options: { ...options, subscribe: { fromBeginning: true } },
  })
  await server.listen()
  const app = await NestFactory.createApplicationContext(ClientModule, { logger })
  const { kafka } = app.get(Caller)
  say('assignment of the client', Object.keys(kafka.getConsumerAssignments()).sort())
  say('request and reply', await firstValueFrom(kafka.send(named('sum'), [1, 2, 39])))
  const keyed = { key: 'k', value: [5, 5], headers: { mine: 'yes' } }
  say('with a key and headers', await firstValueFrom(kafka.send(named('sum'), keyed)))
  say(
    'an error as reply',
    await firstValueFrom(kafka.send(named('refused'), {})).catch(error => error.message ?? error),
  )
  const asked = Array.from({ length: 100 }, (_, at) =>
    firstValueFrom(kafka.send(named('slow'), { at })),
  )
  say(
    '100 at a time',
    (await Promise.all(asked)).every((answer, at) => answer === at),
  )
  for (const at of [1, 2, 3])
    await firstValueFrom(kafka.emit(named('noted'), { key: 'one', value: { at } }))
  say('events come', await until(() => events.length >= 3))
  say('events', events)
  await firstValueFrom(kafka.emit(named('retried'), {}))
  say('an event is tried again', await until(() => attempts === 3))
  await app.close()
  await server.close()
  say('closed', true)
}

void main()
