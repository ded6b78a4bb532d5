"""Cases about producers."""

import random
import struct

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from suite import check, check_numbered, equal, read, refused


def produce(suite):
    topic = suite.topic(1)
    large = random.Random(1).randbytes(1_000_000)
    headers = [("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None)]
    sent = [(b"key", b"value", headers), (None, b"no key", None), (b"tombstone", None, None),
            (b"", b"", None), (b"large", large, None)]
    offsets = []
    producer = suite.producer(**{"message.max.bytes": 2_000_000})
    for key, value, its_headers in sent:
        producer.produce(topic, value, key, 0, headers=its_headers,
                         on_delivery=lambda error, message: offsets.append(error or message.offset()))
    producer.flush()
    equal([0, 1, 2, 3, 4], offsets, "offsets of acknowledged records")
    got = [(message.key(), message.value(), message.headers()) for message in suite.read_all(topic, 1)]
    check(sent == got, "the records differ")


def codecs(suite):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = suite.topic(1)
        suite.send(topic, 1, 300, compression_type=codec, linger_ms=100)
        check_numbered(suite.read_all(topic, 1), 1, 300)
        with suite.consumer() as consumer:
            consumer.assign([TopicPartition(topic, 0, 137)])
            rest = read(consumer, 300 - 137)
            equal(137, rest[0].offset(), f"{codec}: first offset from within a batch")
            equal(137, struct.unpack_from(">i", rest[0].value())[0], f"{codec}: first record")


def acks(suite):
    for wanted in ["0", "1", "all"]:
        topic = suite.topic(1)
        suite.send(topic, 1, 50, acks=wanted)
        with suite.consumer() as consumer:
            consumer.assign([TopicPartition(topic, 0, 0)])
            check_numbered(read(consumer, 50), 1, 50)


def idempotent(suite):
    topic = suite.topic(3)
    suite.send(topic, 3, 5_000, enable_idempotence=True, linger_ms=0, batch_num_messages=3)
    check_numbered(suite.read_all(topic, 3), 3, 5_000)


def cut(suite):
    records = 60
    settings = {"bootstrap.servers": suite.proxy, "linger.ms": 0, "batch.num.messages": 1, "retry.backoff.ms": 10,
                "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50}
    safe = f"cut-{suite.name}"
    topic = suite.topic(1)
    suite.send(topic, 1, records, **settings, client_id=safe, enable_idempotence=True)
    check(suite.cuts_of(safe) >= 5, "the proxy did not cut")
    check_numbered(suite.read_all(topic, 1), 1, records)

    # The counter-check: the same cuts double records of a producer that is not idempotent.
    unsafe = f"cut-unsafe-{suite.name}"
    topic = suite.topic(1)
    suite.send(topic, 1, records, **settings, client_id=unsafe, message_send_max_retries=1000)
    check(suite.cuts_of(unsafe) >= 5, "the proxy did not cut")
    check(len(suite.read_all(topic, 1)) > records, "cuts double records that are not idempotent")


def deliver(producer, *arguments, **settings):
    """Sends one record and waits for it; its failure is raised."""
    answers = []
    producer.produce(*arguments, on_delivery=lambda error, _: answers.append(error), **settings)
    producer.flush()
    if answers[0]:
        raise KafkaException(answers[0])


def too_large(suite):
    topic = suite.topic(1, {"max.message.bytes": "10000"})
    producer = suite.producer()
    refused(KafkaError.MSG_SIZE_TOO_LARGE, lambda: deliver(producer, topic, bytes(20_000)))
    deliver(producer, topic, bytes(5_000))
    equal(1, len(suite.read_all(topic, 1)), "records")


def unknown_topic(suite):
    with suite.consumer(**{"allow.auto.create.topics": False}) as consumer:
        consumer.subscribe(["no-such-topic"])
        refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: read(consumer, 1))
    check("no-such-topic" not in suite.admin.list_topics().topics, "nothing was created")
    topic = suite.topic(1)
    producer = suite.producer()
    # The client cannot know before it has asked for the topic.
    deliver(producer, topic, b"known", partition=0)
    refused(KafkaError._UNKNOWN_PARTITION, lambda: deliver(producer, topic, b"unknown", partition=7))
