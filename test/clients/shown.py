"""The lines a client program prints for main.ts (README.md says what they mean), and what the
programs in Python write and compare.

A message is (key, value, timestamp in ms): str or None, str, int.
"""

import re
import sys
import time
from collections import defaultdict
from contextlib import contextmanager

_failed = False


def version(text):
    """The version of the client that speaks."""
    print(f"version {text}", flush=True)


def runtime():
    """The Python it runs on."""
    print(f"runtime Python {sys.version.split()[0]}", flush=True)


def absent(what, why):
    """The client has no such thing."""
    print(f"absent {what}: {why}", flush=True)


@contextmanager
def shown(what):
    """Prints that the block was shown, or that it FAILED and why, and goes on after it."""
    global _failed
    try:
        yield
        print(f"ok {what}", flush=True)
    except Exception as error:
        _failed = True
        text = re.sub(r"\s*\n\s*", " ", f"{type(error).__name__}: {error}")
        print(f"FAILED {what}: {text[:600]}", flush=True)


def exit_code():
    """0 when nothing failed, else 1."""
    return 1 if _failed else 0


def equal(actual, expected, what):
    """Raises and shows both when they differ."""
    if actual != expected:
        raise AssertionError(f"{what}: {str(actual)[:200]} is not {str(expected)[:200]}")


def within(seconds=20):
    """Counts from 0 until the deadline, then raises: for loops that wait for an event."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        yield count
        count += 1
    raise TimeoutError(f"not within {seconds} s")


def messages_of(topic, first_time, count=300):
    """The same messages for the same topic in every run: half with one of ten keys."""
    return [
        (
            f"key-{i // 2 % 10}" if i % 2 == 0 else None,
            f"{topic} message {i} {'é' * (i % 50)}",
            first_time + i * 1000,
        )
        for i in range(count)
    ]


def holds(read, messages):
    """Checks what was read of a topic, lists of messages by partition: every message once, in the
    order of writing in each partition, and each key in one partition."""
    places = {message: i for i, message in enumerate(messages)}
    homes = defaultdict(set)
    seen = []
    for partition, part in read.items():
        unknown = [message for message in part if message not in places]
        equal(unknown, [], f"never written, in partition {partition}")
        order = [places[message] for message in part]
        equal(order, sorted(order), f"order in partition {partition}")
        seen += order
        for key, _, _ in part:
            if key is not None:
                homes[key].add(partition)
    equal(sorted(seen), list(range(len(messages))), "messages read")
    equal({key: 1 for key in homes}, {key: len(home) for key, home in homes.items()}, "homes of keys")
