"""Writes or reads numbered messages with librdkafka, see clients.ts: python foreign.py feed|read NAME BOOTSTRAP TOPIC PARTITIONS RATE"""

import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

role, name, bootstrap, topic, partitions, rate = sys.argv[1:7]
partitions = int(partitions)
stopping = threading.Event()
common = {
    "bootstrap.servers": bootstrap,
    "client.id": name,
    "log_level": 0,
    "socket.timeout.ms": 5000,
    "reconnect.backoff.max.ms": 500,
}


def listen():
    sys.stdin.read()
    stopping.set()


def feed():
    producer = Producer(
        common
        | {
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 600000,
            "request.timeout.ms": 5000,
            "linger.ms": 5,
        }
    )

    def delivered(partition, number):
        def tell(error, message):
            if error is not None:
                print("failed", partition, number, error.str(), flush=True)
            else:
                print("ack", partition, number, message.offset(), flush=True)

        return tell

    numbers = [0] * partitions
    sent = 0
    started = time.monotonic()
    while not stopping.is_set():
        due = int((time.monotonic() - started) * int(rate))
        while sent < due:
            partition = sent % partitions
            number = numbers[partition]
            value = f"{name}:{number}"
            try:
                producer.produce(topic, value, partition=partition, on_delivery=delivered(partition, number))
            except BufferError:
                break
            numbers[partition] += 1
            sent += 1
        producer.poll(0.005)
    left = producer.flush(120)
    print("end", sent, left, flush=True)


def read():
    consumer = Consumer(
        common
        | {
            "group.id": f"{name}-{topic}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 200,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    while not stopping.is_set():
        for message in consumer.consume(500, 0.1):
            error = message.error()
            if error is None:
                print("shown", message.partition(), message.offset(), message.value().decode())
            elif error.fatal() or error.name() == "_AUTO_OFFSET_RESET":
                print("failed", message.partition(), message.offset(), error.str())
        sys.stdout.flush()
    consumer.close()
    print("end 0 0", flush=True)


threading.Thread(target=listen, daemon=True).start()
feed() if role == "feed" else read()
