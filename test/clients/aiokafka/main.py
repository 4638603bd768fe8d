"""aiokafka: python main.py BOOTSTRAP PREFIX TIME work|again"""

import asyncio
import logging
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import aiokafka
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shown import absent, equal, exit_code, holds, messages_of, runtime, shown, version, within

bootstrap, prefix, first_time, phase = sys.argv[1:5]
first_time = int(first_time)
codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
committed = {0: 10, 1: 20, 2: 30}
base = {"bootstrap_servers": bootstrap, "client_id": "aiokafka"}


def name_of(what):
    return f"{prefix}-aiokafka-{what}"


def parts_of(topic):
    return [TopicPartition(topic, p) for p in range(3)]


async def create(admin, topic):
    answer = await admin.create_topics([NewTopic(topic, 3, 1)])
    for _, code, message in answer.topic_errors:
        if code != 0:
            raise for_code(code)(message)


async def produce(topic, messages, partition=None, **settings):
    """Returns the partition and offset of each message."""
    async with AIOKafkaProducer(**base, linger_ms=50, **settings) as producer:
        sent = [
            await producer.send(
                topic,
                value.encode(),
                None if key is None else key.encode(),
                partition=partition,
                timestamp_ms=timestamp,
            )
            for key, value, timestamp in messages
        ]
        places = [await asyncio.wait_for(one, 30) for one in sent]
    return [(place.partition, place.offset) for place in places]


async def produce_spread(topic, messages):
    """The same number into each partition."""
    for p in range(3):
        await produce(topic, messages[p::3], p)


def triple(message):
    text = lambda data: None if data is None else data.decode()
    return (text(message.key), text(message.value), message.timestamp)


def consumer_of(group=None, *topics, **settings):
    return AIOKafkaConsumer(
        *topics,
        **base,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        heartbeat_interval_ms=300,
        fetch_max_wait_ms=100,
        **settings,
    )


async def read_all(topic):
    """What is in each partition of a topic, from its start to its end now."""
    async with consumer_of() as consumer:
        consumer.assign(parts_of(topic))
        missing = sum((await consumer.end_offsets(parts_of(topic))).values())
        await consumer.seek_to_beginning()
        read = defaultdict(list)
        clock = within()
        while missing > 0:
            next(clock)
            for at, messages in (await consumer.getmany(timeout_ms=200)).items():
                for message in messages:
                    equal(message.offset, len(read[at.partition]), "offset")
                    read[at.partition].append(triple(message))
                missing -= len(messages)
        return read


async def write_and_read(admin, what, **settings):
    topic = name_of(what)
    messages = messages_of(topic, first_time)
    await create(admin, topic)
    places = await produce(topic, messages, **settings)
    read = await read_all(topic)
    holds(read, messages)
    equal([read[p][offset] for p, offset in places], messages, "messages by delivery report")


class Member(ConsumerRebalanceListener):
    """A member of a group, what it has read, and how often it was given partitions."""

    def __init__(self, group, topic, **settings):
        self.read = []
        self.assignments = 0
        self.consumer = consumer_of(group, **settings)
        self.consumer.subscribe([topic], listener=self)

    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        self.assignments += 1

    async def poll(self):
        for messages in (await self.consumer.getmany(timeout_ms=50)).values():
            self.read += messages

    def holds(self):
        return {at.partition for at in self.consumer.assignment()}


async def poll(members, done):
    for _ in within():
        if done():
            return
        for member in members:
            await member.poll()


def share(first, second):
    """They hold the three partitions together: each some, none twice."""
    a, b = first.holds(), second.holds()
    return a | b == {0, 1, 2} and not a & b and bool(a) and bool(b)


def by_value(messages):
    return sorted(messages, key=lambda message: message[1])


async def committed_of(admin, group):
    answer = await admin.list_consumer_group_offsets(group)
    return {at.partition: found.offset for at, found in answer.items()}


async def described(admin, group):
    [answer] = await admin.describe_consumer_groups([group])
    [(code, name, state, kind, protocol, members, *_)] = answer.groups
    equal((code, name, kind, protocol), (0, group, "consumer", "roundrobin"), "description")
    return state, members


async def group_shared(admin):
    topic, group = name_of("group"), name_of("group")
    messages = messages_of(topic, first_time)
    await create(admin, topic)
    first, second = Member(group, topic), Member(group, topic)
    with shown("group of two"):
        await first.consumer.start()
        await poll([first], lambda: first.holds() == {0, 1, 2})
        # start() waits for the group, which waits for the first member to poll.
        start = asyncio.ensure_future(second.consumer.start())
        await poll([first], start.done)
        await start
        await poll([first, second], lambda: share(first, second))
        await produce_spread(topic, messages[:150])
        await poll([first, second], lambda: len(first.read) + len(second.read) >= 150)
        for member in (first, second):
            equal({m.partition for m in member.read}, member.holds(), "partitions read from")
            await member.consumer.commit()
        equal(by_value(map(triple, first.read + second.read)), by_value(messages[:150]), "read")
    with shown("leave"):
        await second.consumer.stop()
        await poll([first], lambda: first.holds() == {0, 1, 2})
        await produce_spread(topic, messages[150:])
        await poll([first], lambda: len(first.read) + len(second.read) >= 300)
        equal(by_value(map(triple, first.read + second.read)), by_value(messages), "read")
    with shown("describe group"):
        state, members = await described(admin, group)
        equal(state, "Stable", "state")
        [(_, client_id, _, _, assignment)] = members
        equal(client_id, "aiokafka", "client id")
        held = ConsumerProtocolMemberAssignment.decode(assignment).assignment
        equal([(t, sorted(p)) for t, p in held], [(topic, [0, 1, 2])], "assignment")
    with shown("list groups"):
        listed = [one for one in await admin.list_consumer_groups() if one[0] == group]
        equal(listed, [(group, "consumer")], "listed")
    await first.consumer.stop()


async def resume(topic, group):
    """Reads to the end of the partitions: from the committed offsets, each offset once."""
    member = Member(group, topic)
    await member.consumer.start()
    await poll([member], lambda: len(member.read) >= 300 - sum(committed.values()))
    for p, offset in committed.items():
        read = [m.offset for m in member.read if m.partition == p]
        equal(read, list(range(offset, 100)), f"offsets read in partition {p}")
    return member.consumer


async def commit_and_resume(admin):
    topic, group = name_of("resume"), name_of("resume")
    await create(admin, topic)
    await produce_spread(topic, messages_of(topic, first_time))
    with shown("commit"):
        member = Member(group, topic)
        await member.consumer.start()
        await poll([member], lambda: len(member.read) == 300)
        note = "as far as here"
        await member.consumer.commit(
            {at: OffsetAndMetadata(committed[at.partition], note) for at in parts_of(topic)}
        )
        asked = {at.partition: await member.consumer.committed(at) for at in parts_of(topic)}
        equal(asked, committed, "asked by the consumer")
        await member.consumer.stop()
        answer = await admin.list_consumer_group_offsets(group)
        expected = {at: (committed[at.partition], note) for at in parts_of(topic)}
        equal({at: tuple(found) for at, found in answer.items()}, expected, "asked by the admin")
    with shown("resume"):
        await (await resume(topic, group)).stop()
        equal(await committed_of(admin, group), committed, "committed after resuming")


async def by_timestamp():
    topic = name_of("none")
    time = first_time + 122_500
    read = await read_all(topic)
    expected = {p: next(i for i, m in enumerate(read[p]) if m[2] >= time) for p in range(3)}
    async with consumer_of() as consumer:
        consumer.assign(parts_of(topic))
        found = await consumer.offsets_for_times({at: time for at in parts_of(topic)})
        equal({at.partition: f.offset for at, f in found.items()}, expected, "offsets for it")
        for at in parts_of(topic):
            consumer.seek(at, found[at].offset)
        first = {at: triple(await asyncio.wait_for(consumer.getone(at), 30)) for at in found}
        expected = {at: read[at.partition][found[at].offset] for at in found}
        equal(first, expected, "next message")


async def static_member(admin):
    """A static member closes and comes back: nobody else hears of it (KIP-345)."""
    topic, group = name_of("static"), name_of("static")
    await create(admin, topic)
    other = Member(group, topic, group_instance_id="other")
    before = Member(group, topic, group_instance_id="restarted")
    await other.consumer.start()
    start = asyncio.ensure_future(before.consumer.start())
    await poll([other], start.done)
    await start
    await poll([other, before], lambda: share(other, before))
    heard, held = other.assignments, before.holds()
    await before.consumer.stop()
    after = Member(group, topic, group_instance_id="restarted")
    await after.consumer.start()
    await poll([other, after], lambda: share(other, after))
    equal(after.holds(), held, "held after the restart")
    await produce_spread(topic, messages_of(topic, first_time))
    await poll([other, after], lambda: len(other.read) + len(after.read) == 300)
    equal(other.assignments, heard, "assignments of the other")
    await other.consumer.stop()
    await after.consumer.stop()


async def create_topic(admin):
    topic = name_of("topic")
    await create(admin, topic)
    [answer] = await admin.describe_topics([topic])
    equal(answer["topic"], topic, "topic")
    equal(sorted(p["partition"] for p in answer["partitions"]), [0, 1, 2], "partitions")
    try:
        await create(admin, topic)
    except TopicAlreadyExistsError:
        return
    raise AssertionError("created twice")


async def partitioner(admin):
    topic = name_of("partitioner")
    await create(admin, topic)
    places = await produce(topic, [(f"key-{i}", "value", first_time) for i in range(10)])
    equal([p for p, _ in places], [1, 0, 2, 2, 0, 2, 2, 1, 1, 0], "partitions")


async def headers(admin):
    topic = name_of("headers")
    await create(admin, topic)
    sent = [("trace", b"abc"), ("empty", b""), ("trace", "é".encode())]
    async with AIOKafkaProducer(**base) as producer:
        await producer.send_and_wait(topic, None, b"deleted", partition=0, headers=sent)
        await producer.send_and_wait(topic, b"", b"", partition=0)
    async with consumer_of() as consumer:
        consumer.assign(parts_of(topic)[:1])
        read = [await asyncio.wait_for(consumer.getone(), 30) for _ in range(2)]
    read = [(message.key, message.value, message.headers) for message in read]
    equal(read, [(b"deleted", None, tuple(sent)), (b"", b"", ())], "read")


async def work(admin):
    with shown("topic"):
        await create_topic(admin)
    for codec in codecs:
        with shown(f"produce {codec}"):
            kind = None if codec == "none" else codec
            await write_and_read(admin, codec, compression_type=kind)
    with shown("partitioner"):
        await partitioner(admin)
    with shown("idempotent"):
        await write_and_read(admin, "idempotent", enable_idempotence=True)
    with shown("headers"):
        await headers(admin)
    with shown("timestamp"):
        await by_timestamp()
    await group_shared(admin)
    await commit_and_resume(admin)
    absent("cooperative", "it has no cooperative assignor")
    with shown("static member"):
        await static_member(admin)
    for what in ("reset offsets", "delete offsets", "remove members", "delete group"):
        absent(what, "its admin client has no such call")


async def again(admin):
    topic, group = name_of("resume"), name_of("resume")
    with shown("messages kept"):
        for what in [*codecs, "idempotent"]:
            holds(await read_all(name_of(what)), messages_of(name_of(what), first_time))
        messages = messages_of(topic, first_time)
        equal(dict(await read_all(topic)), {p: messages[p::3] for p in range(3)}, "read")
    with shown("offsets kept"):
        equal(await committed_of(admin, group), committed, "committed")
    with shown("group resumes"):
        consumer = await resume(topic, group)
        await consumer.commit()
        await consumer.stop()
        equal(await committed_of(admin, group), {0: 100, 1: 100, 2: 100}, "committed at the end")


async def main():
    version(aiokafka.__version__)
    runtime()
    admin = AIOKafkaAdminClient(**base)
    await admin.start()
    try:
        await (work(admin) if phase == "work" else again(admin))
    finally:
        await admin.close()


logging.disable()
asyncio.run(main())
sys.exit(exit_code())
