"""Cases about consumers without a group."""

import time

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, TopicPartition
from confluent_kafka.admin import OffsetSpec

from suite import PATIENCE_SECONDS, check_numbered, check, equal, poll, read, refused, result, wait


def send_timed(suite, topic, codec):
    """Ten records, a second apart; in one batch where they are compressed."""
    start = int(time.time() * 1000) - 60_000
    producer = suite.producer(compression_type=codec, linger_ms=0 if codec == "none" else 1000)
    for number in range(10):
        producer.produce(topic, bytes([number]), partition=0, timestamp=start + number * 1000)
        if codec == "none":
            producer.flush()
    producer.flush()
    return start


def check_times(suite, consumer, topic, start):
    for number in range(10):
        wanted = TopicPartition(topic, 0, start + number * 1000 - 500)
        equal(number, consumer.offsets_for_times([wanted], PATIENCE_SECONDS)[0].offset, "offset for a timestamp")
        listed = result(suite.admin.list_offsets(
            {TopicPartition(topic, 0): OffsetSpec.for_timestamp(start + number * 1000 - 500)}))
        equal((number, start + number * 1000), (listed.offset, listed.timestamp), "listed for a timestamp")


def positions(suite):
    topic = suite.topic(1)
    start = send_timed(suite, topic, "none")
    partition = TopicPartition(topic, 0)
    with suite.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        equal(0, read(consumer, 10)[0].offset(), "earliest")
        equal((0, 10), consumer.get_watermark_offsets(partition, PATIENCE_SECONDS), "watermarks")
        consumer.seek(TopicPartition(topic, 0, 4))
        equal(4, read(consumer, 6)[0].offset(), "after a seek back")
        for spec, offset in [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 10), (OffsetSpec.max_timestamp(), 9)]:
            equal(offset, result(suite.admin.list_offsets({partition: spec})).offset, "listed")
        check_times(suite, consumer, topic, start)
        later = TopicPartition(topic, 0, start + 3_600_000)
        equal(OFFSET_END, consumer.offsets_for_times([later], PATIENCE_SECONDS)[0].offset, "nothing is later")
        # Position before the record is sent, so that the end is where the reading starts.
        end = consumer.get_watermark_offsets(partition, PATIENCE_SECONDS)[1]
        consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
        messages = []
        wait("the end", lambda: poll(consumer, messages) or send_one(suite, topic) or messages)
        check(messages[0].offset() >= end, "latest")


def send_one(suite, topic):
    producer = suite.producer()
    producer.produce(topic, b"one more", partition=0)
    producer.flush()


def times_compressed(suite):
    for codec in ["gzip", "snappy", "lz4", "zstd"]:
        topic = suite.topic(1)
        start = send_timed(suite, topic, codec)
        with suite.consumer() as consumer:
            check_times(suite, consumer, topic, start)


def delete_records(suite):
    topic = suite.topic(1)
    send_timed(suite, topic, "none")
    deleted = result(suite.admin.delete_records([TopicPartition(topic, 0, 4)]))
    equal(4, deleted.low_watermark, "low watermark")
    with suite.consumer() as consumer:
        equal((4, 10), consumer.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_SECONDS), "watermarks")
        consumer.assign([TopicPartition(topic, 0, 1)])
        equal(4, read(consumer, 6)[0].offset(), "after the reset")
    with suite.consumer(**{"auto.offset.reset": "error"}) as consumer:
        for outside in [1, 11]:
            consumer.assign([TopicPartition(topic, 0, outside)])
            refused(KafkaError._AUTO_OFFSET_RESET, lambda: read(consumer, 1))
    refused(KafkaError.OFFSET_OUT_OF_RANGE,
            lambda: result(suite.admin.delete_records([TopicPartition(topic, 0, 11)])))
    result(suite.admin.delete_records([TopicPartition(topic, 0, OFFSET_END)]))
    equal([], suite.read_all(topic, 1), "records that are left")


def retention(suite):
    topic = suite.topic(1, {"retention.ms": "30000"})
    send_timed(suite, topic, "none")
    wait("the end of old records", lambda: suite.start(topic, 1) == 10)
    suite.send(topic, 1, 1)
    with suite.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, 3)])
        equal(10, read(consumer, 1)[0].offset(), "after the reset")


def many_partitions(suite):
    topic = suite.topic(100)
    suite.send(topic, 100, 1_000)
    check_numbered(suite.read_all(topic, 100), 100, 1_000)
