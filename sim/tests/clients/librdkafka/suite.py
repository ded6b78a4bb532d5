"""What a case works with. Its topics are deleted when it ends."""

import contextlib
import struct
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

PATIENCE_SECONDS = 60


class Suite:
    def __init__(self, broker, proxy, cuts, name):
        self.broker, self.proxy, self.cuts, self.name = broker, proxy, cuts, name
        self.admin = AdminClient({"bootstrap.servers": broker})
        self.topics = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.topics:
            for future in self.admin.delete_topics(self.topics).values():
                future.result()

    def topic(self, partitions, config=None):
        topic = f"{self.name}-{len(self.topics)}"
        result(self.admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})]))
        self.topics.append(topic)
        self.settled(topic, partitions)
        return topic

    def settled(self, topic, partitions):
        """Waits until every partition has a leader that answers: Kafka creates topics before it serves them."""
        def is_settled():
            try:
                return (len(self.admin.list_topics(topic).topics[topic].partitions) == partitions
                        and self.end(topic, partitions) >= 0)
            except KafkaException:
                return False
        wait(f"{partitions} partitions of {topic}", is_settled)

    def producer(self, **settings):
        return Producer({"bootstrap.servers": self.broker, **dotted(settings)})

    @contextlib.contextmanager
    def consumer(self, **settings):
        """A consumer that is closed at the end. `group.id` is a must here, also for those who join no group."""
        consumer = Consumer({
            "bootstrap.servers": self.broker, "group.id": "nobody", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", **dotted(settings)})
        try:
            yield consumer
        finally:
            consumer.close()

    def send(self, topic, partitions, count, **settings):
        """Sends 0, 1, 2… as the first four bytes of the values, over the partitions in turn."""
        failures = []
        producer = self.producer(**settings)
        for number in range(count):
            producer.produce(topic, struct.pack(">i196x", number), partition=number % partitions,
                             on_delivery=lambda error, _: error and failures.append(error))
            producer.poll(0)
        equal(0, producer.flush(PATIENCE_SECONDS), "records without an answer")
        equal([], failures, "failed deliveries")

    def read_all(self, topic, partitions):
        """Everything that a topic holds, from its start to its end."""
        with self.consumer() as consumer:
            consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
            return read(consumer, self.end(topic, partitions) - self.start(topic, partitions))

    def start(self, topic, partitions):
        return self.sum_of_offsets(topic, partitions, OffsetSpec.earliest())

    def end(self, topic, partitions):
        return self.sum_of_offsets(topic, partitions, OffsetSpec.latest())

    def sum_of_offsets(self, topic, partitions, spec):
        wanted = {TopicPartition(topic, partition): spec for partition in range(partitions)}
        return sum(future.result(PATIENCE_SECONDS).offset for future in self.admin.list_offsets(wanted).values())

    def cuts_of(self, client):
        with open(self.cuts, encoding="utf-8") as log:
            return log.read().splitlines().count(client)


def dotted(settings):
    return {name.replace("_", "."): value for name, value in settings.items()}


def poll(consumer, messages, seconds=0.1):
    """Takes what has come. An error of the consumer is raised."""
    for message in consumer.consume(1_000, seconds):
        if message.error():
            raise KafkaException(message.error())
        messages.append(message)


def read(consumer, count):
    messages = []
    wait(f"{count} records", lambda: poll(consumer, messages) or len(messages) >= count)
    return messages


def check_numbered(messages, partitions, count):
    """Every number is there once, and each partition has its own in order."""
    numbers = {partition: [] for partition in range(partitions)}
    for message in messages:
        numbers[message.partition()].append(struct.unpack_from(">i", message.value())[0])
    expected = {partition: list(range(partition, count, partitions)) for partition in range(partitions)}
    equal(expected, numbers, "numbers by partition")


def result(futures):
    """The one result of an admin call."""
    (future,) = futures.values()
    return future.result(PATIENCE_SECONDS)


def wait(what, done):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        check(time.monotonic() < deadline, f"waited in vain for {what}")


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def equal(expected, actual, what):
    check(expected == actual, f"{what}: expected {str(expected)[:300]}, got {str(actual)[:300]}")


def refused(code, attempt):
    """The attempt fails with exactly this error."""
    try:
        attempt()
    except KafkaException as error:
        equal(code, error.args[0].code(), f"error ({error.args[0]})")
    else:
        raise AssertionError(f"expected error {code}, got none")
