"""confluent-kafka-python (librdkafka): python main.py BOOTSTRAP PREFIX TIME work|again"""

import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import confluent_kafka
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from shown import absent, equal, exit_code, holds, messages_of, runtime, shown, version, within

bootstrap, prefix, first_time, phase = sys.argv[1:5]
first_time = int(first_time)
codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
committed = {0: 10, 1: 20, 2: 30}
base = {"bootstrap.servers": bootstrap, "client.id": "python", "log_level": 0}
admin = AdminClient(base)


def name_of(what):
    return f"{prefix}-python-{what}"


def create(topic):
    admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(30)


def produce(topic, messages, partition=None, **settings):
    """Returns the partition and offset of each message."""
    producer = Producer(
        {**base, "partitioner": "murmur2_random", "sticky.partitioning.linger.ms": 0}
        | {name.replace("_", "."): value for name, value in settings.items()}
    )
    places = [None] * len(messages)

    def delivered(i):
        def report(error, message):
            if error is None:
                places[i] = (message.partition(), message.offset())

        return report

    where = {} if partition is None else {"partition": partition}
    for i, (key, value, timestamp) in enumerate(messages):
        producer.produce(topic, value, key, timestamp=timestamp, callback=delivered(i), **where)
    equal(producer.flush(30), 0, "messages not delivered")
    equal([i for i, place in enumerate(places) if place is None], [], "messages refused")
    return places


def triple(message):
    text = lambda data: None if data is None else data.decode()
    return (text(message.key()), text(message.value()), message.timestamp()[1])


def check(message):
    if message.error() is not None:
        raise KafkaException(message.error())
    return message


def consumer_of(group, **settings):
    return Consumer(
        base
        | {
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "heartbeat.interval.ms": 300,
            "fetch.wait.max.ms": 100,
        }
        | {name.replace("_", "."): value for name, value in settings.items()}
    )


def read_all(topic):
    """What is in each partition of a topic, from its start to its end now."""
    consumer = consumer_of(name_of("reader"))
    try:
        starts = [TopicPartition(topic, p, 0) for p in range(3)]
        missing = sum(consumer.get_watermark_offsets(start, timeout=20)[1] for start in starts)
        consumer.assign(starts)
        read = defaultdict(list)
        clock = within()
        while missing > 0:
            next(clock)
            for message in consumer.consume(missing, 0.1):
                equal(check(message).offset(), len(read[message.partition()]), "offset")
                read[message.partition()].append(triple(message))
                missing -= 1
        return read
    finally:
        consumer.close()


def write_and_read(what, **settings):
    topic = name_of(what)
    messages = messages_of(topic, first_time)
    create(topic)
    places = produce(topic, messages, **settings)
    read = read_all(topic)
    holds(read, messages)
    equal([read[p][offset] for p, offset in places], messages, "messages by delivery report")


class Member:
    """A member of a group: what it holds, what it has read, and what happened to it."""

    def __init__(self, group, topic, **settings):
        self.read = []
        self.given = []
        self.taken = []
        self.consumer = consumer_of(group, **settings)
        self.consumer.subscribe(
            [topic],
            on_assign=lambda _, parts: self.given.append(sorted(p.partition for p in parts)),
            on_revoke=lambda _, parts: self.taken.append(sorted(p.partition for p in parts)),
        )

    def poll(self):
        for message in self.consumer.consume(100, 0.05):
            self.read.append(check(message))

    def holds(self):
        return {p.partition for p in self.consumer.assignment()}

    def commit(self):
        self.consumer.commit(asynchronous=False)

    def close(self):
        self.consumer.close()


def poll(members, done):
    for _ in within():
        if done():
            return
        for member in members:
            member.poll()


def share(first, second):
    """They hold the three partitions together: each some, none twice."""
    a, b = first.holds(), second.holds()
    return a | b == {0, 1, 2} and not a & b and bool(a) and bool(b)


def committed_of(group):
    answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    return {p.partition: p.offset for p in answer.result(30).topic_partitions}


def produce_spread(topic, messages):
    """The same number into each partition."""
    for p in range(3):
        produce(topic, messages[p::3], p)


def group_shared():
    topic, group = name_of("group"), name_of("group")
    messages = messages_of(topic, first_time)
    create(topic)
    first, second = Member(group, topic), None
    with shown("group of two"):
        poll([first], lambda: first.holds() == {0, 1, 2})
        second = Member(group, topic)
        poll([first, second], lambda: share(first, second))
        produce_spread(topic, messages[:150])
        poll([first, second], lambda: len(first.read) + len(second.read) >= 150)
        for member in (first, second):
            equal({m.partition() for m in member.read}, member.holds(), "partitions read from")
            member.commit()
        equal(by_value(map(triple, first.read + second.read)), by_value(messages[:150]), "read")
    with shown("leave"):
        second.close()
        poll([first], lambda: first.holds() == {0, 1, 2})
        produce_spread(topic, messages[150:])
        poll([first], lambda: len(first.read) + len(second.read) >= 300)
        equal(by_value(map(triple, first.read + second.read)), by_value(messages), "read")
    with shown("describe group"):
        described = admin.describe_consumer_groups([group])[group].result(30)
        equal(described.state, ConsumerGroupState.STABLE, "state")
        equal(described.partition_assignor, "range", "assignor")
        equal(described.coordinator.port, int(bootstrap.split(":")[-1]), "coordinator")
        equal(len(described.members), 1, "members")
        [member] = described.members
        equal(member.client_id, "python", "client id")
        held = [(p.topic, p.partition) for p in member.assignment.topic_partitions]
        equal(sorted(held), [(topic, p) for p in range(3)], "assignment")
    with shown("list groups"):
        listed = admin.list_consumer_groups().result(30)
        equal(listed.errors, [], "errors")
        states = {g.group_id: g.state for g in listed.valid}
        equal(states.get(group), ConsumerGroupState.STABLE, "state")
    first.close()


def by_value(messages):
    return sorted(messages, key=lambda message: message[1])


def commit_and_resume():
    topic, group = name_of("resume"), name_of("resume")
    create(topic)
    produce_spread(topic, messages_of(topic, first_time))
    with shown("commit"):
        member = Member(group, topic)
        poll([member], lambda: len(member.read) == 300)
        offsets = [TopicPartition(topic, p, offset) for p, offset in committed.items()]
        answered = member.consumer.commit(offsets=offsets, asynchronous=False)
        equal([p.error for p in answered], [None] * 3, "errors of the commit")
        asked = member.consumer.committed([TopicPartition(topic, p) for p in range(3)], timeout=20)
        equal({p.partition: p.offset for p in asked}, committed, "asked by the consumer")
        member.close()
        equal(committed_of(group), committed, "asked by the admin client")
    with shown("resume"):
        resume(Member(group, topic)).close()
        equal(committed_of(group), committed, "committed after resuming")


def resume(member):
    """Reads to the end of the partitions: from the committed offsets, each offset once."""
    poll([member], lambda: len(member.read) >= 300 - sum(committed.values()))
    for p, offset in committed.items():
        read = [m.offset() for m in member.read if m.partition() == p]
        equal(read, list(range(offset, 100)), f"offsets read in partition {p}")
    return member


def first_of_each(consumer):
    """The next message of each partition."""
    first = {}
    for _ in within():
        for message in consumer.consume(500, 0.1):
            first.setdefault(check(message).partition(), triple(message))
        if len(first) == 3:
            return first


def by_timestamp():
    topic = name_of("none")
    time = first_time + 122_500
    read = read_all(topic)
    expected = {p: next(i for i, m in enumerate(read[p]) if m[2] >= time) for p in range(3)}
    consumer = consumer_of(name_of("reader"))
    try:
        found = consumer.offsets_for_times([TopicPartition(topic, p, time) for p in range(3)], 20)
        equal({p.partition: p.offset for p in found}, expected, "offsets for the timestamp")
        consumer.assign([TopicPartition(topic, p, 0) for p in range(3)])
        equal(set(first_of_each(consumer)), {0, 1, 2}, "partitions read from their start")
        for at in found:
            consumer.seek(at)
        first = first_of_each(consumer)
        equal(first, {p: read[p][offset] for p, offset in expected.items()}, "next message")
    finally:
        consumer.close()


def cooperative():
    """What a member keeps is not revoked from it when another one joins (KIP-429)."""
    topic, group = name_of("cooperative"), name_of("cooperative")
    create(topic)
    strategy = {"partition_assignment_strategy": "cooperative-sticky"}
    first = Member(group, topic, **strategy)
    poll([first], lambda: first.holds() == {0, 1, 2})
    second = Member(group, topic, **strategy)
    poll([first, second], lambda: share(first, second))
    equal(sorted(sum(first.taken, [])), sorted(second.holds()), "revoked from the first")
    equal(sum(second.taken, []), [], "revoked from the second")
    second.close()
    poll([first], lambda: first.holds() == {0, 1, 2})
    equal(len(first.taken), 1, "times that something was revoked from the first")
    first.close()


def static_member():
    """A static member closes and comes back: nobody else hears of it (KIP-345)."""
    topic, group = name_of("static"), name_of("static")
    create(topic)
    other = Member(group, topic, group_instance_id="other")
    poll([other], lambda: other.holds() == {0, 1, 2})
    before = Member(group, topic, group_instance_id="restarted")
    poll([other, before], lambda: share(other, before))
    heard, held, member = len(other.given + other.taken), before.holds(), before.consumer.memberid()
    before.close()
    after = Member(group, topic, group_instance_id="restarted")
    poll([other, after], lambda: share(other, after))
    equal(after.holds(), held, "held after the restart")
    if after.consumer.memberid() == member:
        raise AssertionError("the member id is the old one")
    produce_spread(topic, messages_of(topic, first_time))
    poll([other, after], lambda: len(other.read) + len(after.read) == 300)
    equal(len(other.given + other.taken), heard, "rebalances that the other saw")
    described = admin.describe_consumer_groups([group])[group].result(30)
    equal(sorted(m.group_instance_id for m in described.members), ["other", "restarted"], "members")
    other.close()
    after.close()


def group_of_nobody(what, offsets):
    """A group without members that has committed `offsets` in the topic `resume`."""
    topic, group = name_of("resume"), name_of(what)
    consumer = consumer_of(group)
    consumer.commit(
        offsets=[TopicPartition(topic, p, offset) for p, offset in offsets.items()],
        asynchronous=False,
    )
    consumer.close()
    equal(committed_of(group), offsets, "committed")
    return topic, group


def lag():
    topic, group = group_of_nobody("lag", {0: 100, 1: 40, 2: 0})
    ends = admin.list_offsets({TopicPartition(topic, p): OffsetSpec.latest() for p in range(3)})
    offsets = committed_of(group)
    lags = {at.partition: end.result(30).offset - offsets[at.partition] for at, end in ends.items()}
    equal(lags, {0: 0, 1: 60, 2: 100}, "lag")


def reset_offsets():
    topic, group = group_of_nobody("reset", committed)
    to = [TopicPartition(topic, p, 5 * p) for p in range(3)]
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, to)])[group].result(30)
    equal(committed_of(group), {0: 0, 1: 5, 2: 10}, "offsets after the reset")


def delete_group():
    _, group = group_of_nobody("deleted", committed)
    admin.delete_consumer_groups([group])[group].result(30)
    listed = admin.list_consumer_groups().result(30)
    equal([g.group_id for g in listed.valid if g.group_id == group], [], "listed")
    equal(committed_of(group), {}, "offsets left")


def create_topic():
    topic = name_of("topic")
    create(topic)
    described = admin.describe_topics(TopicCollection([topic]))[topic].result(30)
    equal([p.id for p in described.partitions], [0, 1, 2], "partitions")
    equal([len(p.replicas) for p in described.partitions], [1, 1, 1], "replicas")
    listed = admin.list_topics(timeout=20).topics.get(topic)
    equal(None if listed is None else sorted(listed.partitions), [0, 1, 2], "listed partitions")
    try:
        create(topic)
    except KafkaException as error:
        equal(error.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS, "error")
    else:
        raise AssertionError("created twice")


def partitioner():
    topic = name_of("partitioner")
    create(topic)
    places = produce(topic, [(f"key-{i}", "value", first_time) for i in range(10)])
    equal([p for p, _ in places], [1, 0, 2, 2, 0, 2, 2, 1, 1, 0], "partitions")


def headers():
    topic = name_of("headers")
    create(topic)
    producer = Producer(base)
    sent = [("trace", b"abc"), ("empty", b""), ("none", None), ("trace", "é".encode())]
    producer.produce(topic, None, "deleted", partition=0, headers=sent)
    producer.produce(topic, "", "", partition=0)
    equal(producer.flush(30), 0, "messages not delivered")
    consumer = consumer_of(name_of("reader"))
    consumer.assign([TopicPartition(topic, 0, 0)])
    read = [(check(m).key(), m.value(), m.headers()) for m in consumer.consume(2, 20)]
    consumer.close()
    equal(read, [(b"deleted", None, sent), (b"", b"", None)], "read")


def work():
    with shown("topic"):
        create_topic()
    for codec in codecs:
        with shown(f"produce {codec}"):
            write_and_read(codec, compression_type=codec, linger_ms=50)
    with shown("partitioner"):
        partitioner()
    with shown("idempotent"):
        write_and_read("idempotent", enable_idempotence=True, compression_type="lz4")
    with shown("headers"):
        headers()
    with shown("timestamp"):
        by_timestamp()
    group_shared()
    commit_and_resume()
    with shown("cooperative"):
        cooperative()
    with shown("static member"):
        static_member()
    with shown("lag"):
        lag()
    with shown("reset offsets"):
        reset_offsets()
    absent("delete offsets", "its admin client has no such call")
    absent("remove members", "its admin client has no such call")
    with shown("delete group"):
        delete_group()


def again():
    with shown("messages kept"):
        for what in [*codecs, "idempotent", "resume"]:
            holds_ = holds if what != "resume" else holds_spread
            holds_(read_all(name_of(what)), messages_of(name_of(what), first_time))
    topic, group = name_of("resume"), name_of("resume")
    with shown("offsets kept"):
        equal(committed_of(group), committed, "committed")
    with shown("group resumes"):
        member = resume(Member(group, topic))
        member.commit()
        member.close()
        equal(committed_of(group), {0: 100, 1: 100, 2: 100}, "committed at the end")


def holds_spread(read, messages):
    equal({p: read[p] for p in range(3)}, {p: messages[p::3] for p in range(3)}, "read")


version(f"{confluent_kafka.version()}, librdkafka {confluent_kafka.libversion()[0]}")
runtime()
work() if phase == "work" else again()
sys.exit(exit_code())
