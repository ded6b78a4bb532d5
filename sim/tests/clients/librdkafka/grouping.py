"""Cases about consumer groups."""

from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import ConfigResource, ResourceType

from suite import check, check_numbered, equal, poll, read, refused, result, wait


class Member:
    """A member, and what has happened to it."""

    def __init__(self, suite, topic, group, **settings):
        self.messages, self.assignments = [], 0
        self.consumer = Consumer({
            "bootstrap.servers": suite.broker, "group.id": group, "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "session.timeout.ms": 20_000, "heartbeat.interval.ms": 500, **settings})
        self.consumer.subscribe([topic], on_assign=self.on_assign)

    def on_assign(self, _consumer, _partitions):
        self.assignments += 1

    def poll(self):
        poll(self.consumer, self.messages)

    def assigned(self):
        return {partition.partition for partition in self.consumer.assignment()}

    def seen(self):
        return positions(self.messages)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.consumer.close()


def positions(messages):
    return {(message.partition(), message.offset()) for message in messages}


def session(suite, topic, count, commits):
    """What a member of the group gets that ends after `count` messages."""
    with suite.consumer(group_id=suite.name) as consumer:
        consumer.subscribe([topic])
        messages = []

        def one_by_one():
            message = consumer.poll(0.1)
            if message and not message.error():
                messages.append(message)
            return len(messages) == count

        wait(f"{count} messages", one_by_one)
        if commits:
            consumer.commit(asynchronous=False)
        return positions(messages)


def restart_before(suite):
    topic = suite.topic(3, {"retention.ms": "86400000"})
    suite.send(topic, 3, 300, enable_idempotence=True)
    session(suite, topic, 100, commits=True)
    suite.topics.clear()  # left to the case after the restart


def restart_after(suite):
    topic = f"{suite.name}-0"
    suite.topics.append(topic)
    check_numbered(suite.read_all(topic, 3), 3, 300)
    equal(200, len(session(suite, topic, 200, commits=True)), "the rest of the group's messages")
    settings = result(suite.admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
    equal("86400000", settings["retention.ms"].value, "retention.ms")
    suite.send(topic, 3, 30, enable_idempotence=True)
    equal(330, len(suite.read_all(topic, 3)), "messages")


def resume(suite):
    topic = suite.topic(3)
    suite.send(topic, 3, 300)
    first = session(suite, topic, 100, commits=True)
    second = session(suite, topic, 200, commits=False)
    third = session(suite, topic, 200, commits=True)
    equal(second, third, "what was not committed is read again")
    check(not first & second, "what was committed is not")
    equal(300, len(first | second), "together all")


def rebalance(suite):
    for strategy in ["range", "cooperative-sticky"]:
        topic = suite.topic(4)
        settings = {"group": f"{suite.name}-{strategy}", "partition.assignment.strategy": strategy}
        with Member(suite, topic, **settings) as first:
            suite.send(topic, 4, 200)
            wait("all partitions at the first member",
                 lambda: first.poll() or (len(first.assigned()) == 4 and len(first.messages) >= 100))
            with Member(suite, topic, **settings) as second:
                wait("half of the partitions each",
                     lambda: first.poll() or second.poll()
                     or (len(first.assigned()), len(second.assigned())) == (2, 2))
                suite.send(topic, 4, 200)
                wait("what the second half of the partitions got",
                     lambda: first.poll() or second.poll() or len(second.messages) >= 100)
                seen_by_second = second.seen()
            suite.send(topic, 4, 200)
            wait("every record",
                 lambda: first.poll() or (len(first.assigned()) == 4 and len(first.seen() | seen_by_second) == 600))


def static_member(suite):
    topic = suite.topic(4)
    stays_settings = {"group": suite.name, "group.instance.id": "stays"}
    restarts_settings = {"group": suite.name, "group.instance.id": "restarts"}
    with Member(suite, topic, **stays_settings) as stays:
        with Member(suite, topic, **restarts_settings) as restarts:
            wait("half of the partitions each",
                 lambda: stays.poll() or restarts.poll()
                 or (len(stays.assigned()), len(restarts.assigned())) == (2, 2))
            before, assignments = restarts.assigned(), stays.assignments
        with Member(suite, topic, **restarts_settings) as again:
            wait("the partitions again", lambda: stays.poll() or again.poll() or len(again.assigned()) == 2)
            equal(before, again.assigned(), "its own partitions")
            equal(assignments, stays.assignments, "assignments of the other member")
            with Member(suite, topic, **restarts_settings) as double:
                wait("the partitions at the double", lambda: double.poll() or len(double.assigned()) == 2)
                # Fatal for the client: the reason is told by poll once, as an error of its own.
                refused(KafkaError._FATAL, lambda: read(again.consumer, 1))
