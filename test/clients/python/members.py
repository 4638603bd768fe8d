"""Members of groups, each in a thread of its own: python members.py BOOTSTRAP TOPIC, see test/groups/events.ts"""

import json
import os
import struct
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

bootstrap, topic = sys.argv[1:3]
assignor = os.environ.get("ASSIGNOR", "range")
commit_every_s = 1.0
output = threading.Lock()


class Member:
    def __init__(self, name, group):
        self.name = name
        self.closing = False
        self.positions = {}  # of partitions: what is read but not committed yet
        self.owned = set()
        self.committed_at = time.monotonic()
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": name,
                "log_level": 0,
                "group.id": group,
                "partition.assignment.strategy": assignor,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "heartbeat.interval.ms": 500,
                "session.timeout.ms": 6000,
                "max.poll.interval.ms": 10000,
                "reconnect.backoff.max.ms": 500,
                "fetch.wait.max.ms": 500,
            }
        )
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def say(self, event, **more):
        line = json.dumps({"at": int(time.time() * 1000), "member": self.name, "event": event} | more)
        with output:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def run(self):
        try:
            self.consumer.subscribe(
                [topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost
            )
            while not self.closing:
                self.read(self.consumer.consume(500, 0.2))
                if time.monotonic() - self.committed_at >= commit_every_s:
                    self.commit()
            self.consumer.close()
            self.say("left")
        except Exception as error:
            self.say("failed", why=repr(error))

    def read(self, messages):
        found = {}
        for message in messages:
            if message.error() is not None:
                if not message.error().fatal():
                    continue  # such as a broker that is away
                raise KafkaException(message.error())
            place = (message.offset(), int(message.value()))
            found.setdefault(message.partition(), []).append(place)
        for partition, records in found.items():
            self.say("read", partition=partition, records=records)
            self.positions[partition] = records[-1][0] + 1

    def commit(self):
        self.committed_at = time.monotonic()
        if not self.positions:
            return
        offsets = [TopicPartition(topic, p, offset) for p, offset in self.positions.items()]
        before = self.generation()
        try:
            answered = self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self.say("refused", why=str(error))
            return
        generation = before if self.generation() == before else -1
        good = [(p.partition, p.offset) for p in answered if p.error is None]
        for partition, offset in good:
            if self.positions.get(partition) == offset:
                del self.positions[partition]
        if good:
            self.say("committed", generation=generation, id=self.consumer.memberid(), offsets=good)
        if len(good) < len(answered):
            self.say("refused", why=str([p.error for p in answered if p.error is not None][0]))

    def generation(self):
        """It is in the opaque bytes that a transactional producer is given."""
        metadata = self.consumer.consumer_group_metadata()
        if not metadata.startswith(b"CGMDv2:"):
            return -1
        return struct.unpack_from("=i", metadata, 7)[0]

    def assigned(self, consumer, partitions):
        self.owned.update(p.partition for p in partitions)
        mine = sorted(self.owned)
        self.say("joined", generation=self.generation(), id=consumer.memberid(), partitions=mine)

    def revoked(self, consumer, partitions):
        self.commit()
        self.lost(consumer, partitions)

    def lost(self, consumer, partitions):
        gone = [p.partition for p in partitions]
        for partition in gone:
            self.owned.discard(partition)
            self.positions.pop(partition, None)
        self.say("revoked", partitions=gone)


members = {}
for line in sys.stdin:
    command, name, *rest = line.split()
    if command == "start":
        members[name] = Member(name, *rest)
    elif command == "leave":
        members.pop(name).closing = True
for member in members.values():
    member.closing = True
