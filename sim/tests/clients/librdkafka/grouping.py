"""Cases about consumer groups."""

from confluent_kafka import Consumer, KafkaError

from suite import check, equal, poll, read, refused, wait


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


def resume(suite):
    topic = suite.topic(3)
    suite.send(topic, 3, 300)

    def session(count, commits):
        with suite.consumer(group_id=suite.name) as consumer:
            consumer.subscribe([topic])
            messages = []
            while len(messages) < count:
                message = consumer.poll(1)
                if message and not message.error():
                    messages.append(message)
            if commits:
                consumer.commit(asynchronous=False)
            return positions(messages)

    first = session(100, commits=True)
    second = session(200, commits=False)
    third = session(200, commits=True)
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
