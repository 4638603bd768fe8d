/** What an admin asks and changes, and how it is told what was refused. */
import assert from 'node:assert/strict'
import { Admin, type ConfigResource, type KafkaError, orThrow } from '../../src/index.ts'
import { type Case, errorOf, type Scene, until } from './suite.ts'

type Work = (scene: Scene, admin: Admin) => Promise<unknown>

const at = (topic: string, partition = 0) => ({ topic, partition })

/** With an admin; what the case leaves behind is removed by it. */
const by = (work: Work) => async (scene: Scene) => {
  await using admin = new Admin({ bootstrap: scene.bootstrap })
  try {
    return await work(scene, admin)
  } finally {
    const mine = (name: string) => name.startsWith(scene.prefix)
    const topics = (await admin.listTopics()).map(({ topic }) => topic).filter(mine)
    const groups = (await admin.listGroups()).map(({ groupId }) => groupId).filter(mine)
    await admin.deleteTopics(topics)
    await admin.deleteGroups(groups)
  }
}

/** What came of each: its error, or 'done'. */
const told = (outcomes: readonly { readonly error?: KafkaError | undefined }[]) =>
  outcomes.map(({ error }) => error?.error ?? 'done')

async function valuesOf(admin: Admin, resource: ConfigResource, names: readonly string[]) {
  const [found] = orThrow(await admin.describeConfigs([resource], { names }))
  return names.map(name => found!.configs[name]?.value)
}

async function creates(scene: Scene, admin: Admin) {
  const [there, plain, set, far, placed, odd, twice] = Array.from('abcdefg', scene.name, scene)
  orThrow(await admin.createTopics([{ topic: there!, partitions: 1 }]))
  const outcomes = await admin.createTopics([
    plain!,
    there!,
    { topic: set!, partitions: 3, replicationFactor: 1, configs: { 'retention.ms': 5_000 } },
    { topic: 'no/name' },
    { topic: far!, replicationFactor: 99 },
    { topic: placed!, assignments: [[99]] },
    { topic: odd!, configs: { 'no.such.config': true } },
    { topic: twice! },
    { topic: twice! },
    { topic: scene.name('none'), partitions: 0 },
  ])
  assert.deepEqual(told(outcomes), [
    'done',
    'TOPIC_ALREADY_EXISTS',
    'done',
    'INVALID_TOPIC_EXCEPTION',
    'INVALID_REPLICATION_FACTOR',
    'INVALID_REPLICA_ASSIGNMENT',
    'INVALID_CONFIG',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
    'INVALID_PARTITIONS',
  ])
  const { topicId, partitions, replicationFactor } = outcomes[2]!
  const [found] = orThrow(await admin.describeTopics([set!], { configs: true }))
  assert.equal(found!.topicId, topicId)
  assert.ok(found!.partitions.every(({ leader }) => leader >= 0))
  const { value, source, isDefault } = found!.configs!['retention.ms']!
  const isr = found!.partitions.map(each => each.isr.length)
  return { partitions, replicationFactor, value, source, isDefault, isr }
}

async function isReady(scene: Scene, admin: Admin) {
  const topic = scene.name('topic')
  for (let round = 1; round <= 5; round++) {
    orThrow(await admin.createTopics([{ topic, partitions: round }]))
    await scene.store(topic, round - 1, [{ value: 'at once' }])
    const [end] = orThrow(await admin.listOffsets([{ ...at(topic, round - 1), at: 'latest' }]))
    assert.equal(end!.offset, 1)
    orThrow(await admin.deleteTopics([topic]))
    assert.deepEqual(told(await admin.describeTopics([topic])), ['UNKNOWN_TOPIC_OR_PARTITION'])
    scene.cluster.forget(topic)
  }
}

async function onlyValidated(scene: Scene, admin: Admin) {
  const [topic, other] = [scene.name('topic'), scene.name('other')]
  orThrow(await admin.createTopics([{ topic, partitions: 2 }]))
  const only = { validateOnly: true }
  const resource = { kind: 'topic', name: topic } as const
  const outcomes = [
    ...(await admin.createTopics([other, topic], only)),
    ...(await admin.createPartitions([{ topic, count: 9 }], only)),
    ...(await admin.createPartitions([{ topic, count: 1 }], only)),
    ...(await admin.alterConfigs([{ ...resource, set: { 'retention.ms': 1 } }], only)),
    ...(await admin.alterConfigs([{ ...resource, set: { 'retention.ms': 'x' } }], only)),
  ]
  const [mine, none] = await admin.describeTopics([topic, other], { configs: true })
  assert.deepEqual(
    [mine!.partitions!.length, none!.error?.error],
    [2, 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
  assert.equal(mine!.configs!['retention.ms']!.isDefault, true)
  return told(outcomes)
}

async function adds(scene: Scene, admin: Admin) {
  const topic = scene.name('topic')
  orThrow(await admin.createTopics([{ topic, partitions: 2 }]))
  const outcomes = await admin.createPartitions([
    { topic, count: 4 },
    { topic: scene.name('none'), count: 4 },
  ])
  assert.deepEqual(told(outcomes), ['done', 'UNKNOWN_TOPIC_OR_PARTITION'])
  const [found] = orThrow(await admin.describeTopics([topic]))
  assert.ok(found!.partitions.every(({ leader }) => leader >= 0))
  assert.equal(found!.partitions.length, 4)
  return [
    ...told(await admin.createPartitions([{ topic, count: 3 }])),
    ...told(await admin.createPartitions([{ topic, count: 4 }])),
    ...told(await admin.createPartitions([{ topic, count: 5, assignments: [[99]] }])),
  ]
}

async function lists(scene: Scene, admin: Admin) {
  const names = [scene.name('b'), scene.name('a')]
  orThrow(
    await admin.createTopics(names.map(topic => ({ topic, partitions: 2, replicationFactor: 1 }))),
  )
  orThrow(await admin.alterGroupOffsets(scene.name('group'), [{ ...at(names[0]!), offset: 0 }]))
  const listed = await admin.listTopics()
  const mine = listed.filter(({ topic }) => names.includes(topic))
  assert.deepEqual(
    mine.map(({ topic }) => topic),
    names.toSorted(),
  )
  assert.ok(listed.every(({ isInternal }) => !isInternal))
  const all = await admin.listTopics({ internal: true })
  const internal = all.filter(({ isInternal }) => isInternal).map(({ topic }) => topic)
  assert.deepEqual(internal, ['__consumer_offsets'])
  return mine.map(({ topicId, ...each }) => ({ ...each, hasId: topicId.length }))
}

async function describesCluster(_: Scene, admin: Admin) {
  const { clusterId, controllerId, brokers } = await admin.describeCluster({ includeFenced: true })
  assert.match(clusterId!, /^[\w-]{22}$/u)
  assert.ok(brokers.some(({ brokerId }) => brokerId === controllerId))
  assert.ok(brokers.every(({ host, port }) => host !== '' && port > 0))
  assert.ok(brokers.every(({ rack, isFenced }) => rack === null && !isFenced))
}

async function describesConfigs(scene: Scene, admin: Admin) {
  const topic = scene.name('topic')
  orThrow(await admin.createTopics([{ topic, configs: { 'max.message.bytes': 9_000 } }]))
  const { brokers } = await admin.describeCluster()
  const outcomes = await admin.describeConfigs(
    [
      { kind: 'topic', name: topic },
      { kind: 'topic', name: scene.name('none') },
      { kind: 'broker', name: String(brokers[0]!.brokerId) },
      { kind: 'broker', name: '4711' },
      { kind: 'broker', name: '' },
    ],
    { synonyms: true, documentation: true },
  )
  const { documentation, ...largest } = outcomes[0]!.configs!['max.message.bytes']!
  assert.match(documentation!, /\w/u)
  const partitions = outcomes[2]!.configs!['num.partitions']!
  assert.equal(partitions.value, '1')
  return [told(outcomes), largest, partitions.type]
}

async function altersTopic(scene: Scene, admin: Admin) {
  const topic = scene.name('topic')
  orThrow(await admin.createTopics([topic]))
  const resource = { kind: 'topic', name: topic } as const
  const names = ['retention.ms', 'cleanup.policy']
  const shows = (...values: readonly string[]) =>
    until(`it shows ${values}`, async () => {
      return String(await valuesOf(admin, resource, names)) === String(values)
    })
  const outcomes = await admin.alterConfigs([
    { ...resource, set: { 'retention.ms': 1_000 }, append: { 'cleanup.policy': 'compact' } },
    { kind: 'topic', name: scene.name('none'), set: { 'retention.ms': 1 } },
    { kind: 'broker', name: '4711', set: { 'log.retention.ms': 1 } },
  ])
  await shows('1000', 'delete,compact')
  const bad = { ...resource, set: { 'retention.ms': 'soon', 'cleanup.policy': 'delete' } }
  const refused = told(await admin.alterConfigs([bad]))
  const twice = { ...resource, set: { 'retention.ms': 1 }, reset: ['retention.ms'] }
  const contradicted = told(await admin.alterConfigs([twice]))
  orThrow(
    await admin.alterConfigs([
      { ...resource, reset: ['retention.ms'], subtract: { 'cleanup.policy': 'compact' } },
    ]),
  )
  await shows('604800000', 'delete')
  return [...told(outcomes), ...refused, ...contradicted]
}

async function altersBroker(_: Scene, admin: Admin) {
  const { brokers } = await admin.describeCluster()
  const resource = { kind: 'broker', name: String(brokers[0]!.brokerId) } as const
  const name = 'message.max.bytes'
  const [before] = await valuesOf(admin, resource, [name])
  const shows = (value: string | null | undefined) =>
    until(`it shows ${value}`, async () => (await valuesOf(admin, resource, [name]))[0] === value)
  orThrow(await admin.alterConfigs([{ ...resource, set: { [name]: 2_000_000 } }]))
  try {
    await shows('2000000')
  } finally {
    orThrow(await admin.alterConfigs([{ ...resource, reset: [name] }]))
  }
  await shows(before)
  // Ottla says INVALID_CONFIG, Apache Kafka INVALID_REQUEST.
  const [refused] = await admin.alterConfigs([{ ...resource, set: { 'node.id': 9 } }])
  assert.ok(refused!.error !== undefined)
}

async function findsOffsets(scene: Scene, admin: Admin) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 1, 5)
  const specs = ['earliest', 'latest', 'max-timestamp', 1_000_002, new Date(9_000_000)] as const
  const found = await admin.listOffsets(
    [
      ...specs.map(spec => ({ ...at(topic), at: spec })),
      { ...at(topic, 1), at: 'latest' },
      { ...at(topic, 1), at: 'max-timestamp' },
      { ...at(topic, 9), at: 'latest' },
      { ...at(scene.name('none')), at: 'latest' },
    ],
    { isolation: 'read_committed' },
  )
  return found.map(({ offset, timestamp, leaderEpoch, error }) =>
    error === undefined ? [offset, timestamp, leaderEpoch] : error.error,
  )
}

async function deletesRecords(scene: Scene, admin: Admin) {
  const topic = await scene.topic(3)
  await scene.fill(topic, 2, 5)
  const outcomes = await admin.deleteRecords([
    { ...at(topic), beforeOffset: 2 },
    { ...at(topic, 1), beforeOffset: 'latest' },
    { ...at(topic, 2), beforeOffset: 3 },
    { ...at(topic, 9), beforeOffset: 1 },
  ])
  const [earliest] = orThrow(await admin.listOffsets([{ ...at(topic), at: 'earliest' }]))
  assert.equal(earliest!.offset, 2)
  return outcomes.map(({ logStartOffset, error }) => logStartOffset ?? error?.error)
}

async function groupOffsets(scene: Scene, admin: Admin) {
  const [topic, groupId, none] = [await scene.topic(2), scene.name('group'), scene.name('none')]
  const altered = await admin.alterGroupOffsets(groupId, [
    { ...at(topic, 1), offset: 7, leaderEpoch: 0, metadata: 'seven' },
    { ...at(scene.name('none')), offset: 1 },
    { ...at(topic, 9), offset: 1 },
    { ...at(topic), offset: 3 },
  ])
  const before = await admin.listGroupOffsets([groupId, none])
  const deleted = [
    ...(await admin.deleteGroupOffsets(groupId, [at(topic)])),
    ...(await admin.deleteGroupOffsets(none, [at(topic)])),
  ]
  const after = orThrow(await admin.listGroupOffsets([groupId]))
  const listed = (await admin.listGroups()).find(each => each.groupId === groupId)!
  const { state, type, protocolType } = listed
  const gone = await admin.deleteGroups([none, groupId])
  assert.ok(!(await admin.listGroups()).some(each => each.groupId === groupId))
  assert.deepEqual(told(await admin.describeGroups([groupId])), ['GROUP_ID_NOT_FOUND'])
  const outcomes = [altered, deleted, gone].map(told)
  return [outcomes, before, after, { state, type, protocolType }]
}

async function withMembers(scene: Scene, admin: Admin) {
  const [topic, groupId] = [await scene.topic(2), scene.name('group')]
  await scene.fill(topic, 2, 1)
  const options = { groupInstanceId: 'desk', clientId: 'biller', assignors: ['range'] } as const
  const consumer = scene.consumer({ topics: topic, groupId, ...options })
  const running = consumer.run({ each() {} })
  await until('it has its partitions', () => consumer.assignment().length === 2)
  const [found] = orThrow(await admin.describeGroups([groupId]))
  const { members, coordinator, ...group } = found!
  assert.ok(coordinator >= 0)
  const refused = [
    await admin.alterGroupOffsets(groupId, [{ ...at(topic), offset: 1 }]),
    await admin.deleteGroups([groupId]),
    await admin.deleteGroupOffsets(groupId, [at(topic)]),
    await admin.removeMembers(groupId, [{ groupInstanceId: 'nobody' }, { memberId: 'nobody' }]),
    await admin.removeMembers(scene.name('none'), [{ memberId: 'nobody' }]),
  ]
  const [stable] = await admin.listGroups({ states: ['stable'], types: ['classic'] })
  assert.ok(stable !== undefined)
  await consumer.close()
  await running
  // A static member stays when it leaves: its partitions wait for it.
  const removed = await admin.removeMembers(groupId, [{ groupInstanceId: 'desk' }])
  const rest = await admin.removeMembers(groupId, 'all')
  const [empty] = orThrow(await admin.describeGroups([groupId]))
  assert.equal(empty!.state, 'Empty')
  const described = members.map(({ memberId, host, ...each }) => ({
    ...each,
    isNamed: memberId !== '' && host !== '',
  }))
  return [group, described, refused.map(told), told(removed), rest.length]
}

async function describesDirectories(scene: Scene, admin: Admin) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 1, 5)
  const brokers = orThrow(await admin.describeLogDirs())
  const dirs = brokers.flatMap(({ logDirs }) => orThrow(logDirs))
  assert.ok(dirs.every(({ path }) => path !== ''))
  const none = await admin.describeLogDirs([4711])
  const replicas = dirs.flatMap(each => each.replicas).filter(each => each.topic === topic)
  replicas.sort((a, b) => a.partition - b.partition) // They may be on several brokers.
  const seen = replicas.map(({ partition, bytes, offsetLag, isFuture }) => ({
    partition,
    hasBytes: bytes > 0,
    offsetLag,
    isFuture,
  }))
  return [seen, told(none)]
}

async function versions(_: Scene, admin: Admin) {
  const outcomes = await admin.describeVersions()
  const [first] = orThrow(outcomes)
  assert.ok(first!.apis.every(({ minVersion, maxVersion }) => minVersion <= maxVersion))
  const produce = first!.apis.find(({ apiKey }) => apiKey === 0)
  return [produce, told(await admin.describeVersions([4711]))]
}

async function ends(scene: Scene, admin: Admin) {
  const reason = new Error('no time')
  const signal = AbortSignal.abort(reason)
  await assert.rejects(admin.listTopics({ signal }), reason)
  const ending = new AbortController()
  const creating = admin.createTopics([scene.name('topic')], { signal: ending.signal })
  ending.abort(reason)
  await assert.rejects(creating, reason)
  const other = new Admin({ bootstrap: scene.bootstrap })
  await other.listTopics()
  await other.close()
  const nobody = new Admin({ bootstrap: '127.0.0.1:1', requestTimeoutMs: 300 })
  const saw = [await errorOf(() => other.listTopics()), await errorOf(() => nobody.listTopics())]
  await nobody.close()
  return saw
}

export const adminCases: readonly Case[] = [
  { name: 'topics are created, each with an outcome of its own', run: by(creates) },
  { name: 'a created topic can be used at once, a deleted one is gone', run: by(isReady) },
  { name: 'what is only validated is not done', run: by(onlyValidated) },
  { name: 'partitions are added, never taken away', run: by(adds) },
  { name: 'topics are listed, internal ones when asked for', run: by(lists) },
  { name: 'a cluster is described with its brokers', run: by(describesCluster) },
  { name: 'configs are described, with their sources', run: by(describesConfigs) },
  { name: 'configs of a topic are set, added to and reset', run: by(altersTopic) },
  { name: 'configs of a broker are set and reset', run: by(altersBroker) },
  { name: 'offsets are found at both ends, and by time', run: by(findsOffsets) },
  { name: 'records are deleted up to an offset', run: by(deletesRecords) },
  { name: 'offsets of a group are altered, listed and deleted', run: by(groupOffsets) },
  { name: 'a group with members is described, and its members removed', run: by(withMembers) },
  { name: 'directories of brokers are described', run: by(describesDirectories) },
  { name: 'brokers say which versions they speak', run: by(versions) },
  { name: 'a call ends by its signal, by close, and when there is no broker', run: by(ends) },
]
