"""Cases about topics, settings, the cluster, and groups seen by an administrator."""

from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaError, TopicPartition
from confluent_kafka import TopicCollection
from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewPartitions,
                                   NewTopic, ResourceType)

from grouping import Member
from suite import check, check_numbered, equal, read, refused, result, wait


def describe(suite, topic):
    return result(suite.admin.describe_topics(TopicCollection([topic])))


def topics(suite):
    topic = suite.name
    wanted = NewTopic(topic, 3, 1, config={"retention.ms": "60000"})
    result(suite.admin.create_topics([wanted], validate_only=True))
    check(topic not in suite.admin.list_topics().topics, "validating creates nothing")
    result(suite.admin.create_topics([wanted]))
    refused(KafkaError.TOPIC_ALREADY_EXISTS, lambda: result(suite.admin.create_topics([wanted])))
    for code, nonsense in [
            (KafkaError.TOPIC_EXCEPTION, NewTopic("a/b", 1, 1)),
            (KafkaError.INVALID_CONFIG, NewTopic(f"{topic}0", 1, 1, config={"retention.ms": "soon"})),
            (KafkaError.INVALID_CONFIG, NewTopic(f"{topic}0", 1, 1, config={"no.such.setting": "1"}))]:
        refused(code, lambda nonsense=nonsense: result(suite.admin.create_topics([nonsense])))
    suite.settled(topic, 3)
    check(topic in suite.admin.list_topics().topics, "it is listed")
    described = describe(suite, topic)
    equal(3, len(described.partitions), "partitions")
    check(all(partition.leader and len(partition.isr) == 1 for partition in described.partitions), "leaders")
    result(suite.admin.delete_topics([topic]))
    wait("the end of the topic", lambda: topic not in suite.admin.list_topics().topics)
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: describe(suite, topic))
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: result(suite.admin.delete_topics([topic])))


def partitions(suite):
    topic = suite.topic(3)
    grow = lambda count: result(suite.admin.create_partitions([NewPartitions(topic, count)]))  # noqa: E731
    grow(6)
    suite.settled(topic, 6)
    equal(6, len(describe(suite, topic).partitions), "partitions")
    refused(KafkaError.INVALID_PARTITIONS, lambda: grow(2))
    refused(KafkaError.INVALID_PARTITIONS, lambda: grow(6))
    suite.send(topic, 6, 60)
    check_numbered(suite.read_all(topic, 6), 6, 60)


def configs(suite):
    topic = suite.topic(1, {"retention.ms": "60000"})

    def shown(resource=ResourceType.TOPIC, name=topic):
        return result(suite.admin.describe_configs([ConfigResource(resource, name)]))

    def alter(name, value, operation=AlterConfigOpType.SET, **options):
        change = ConfigEntry(name, value, incremental_operation=operation)
        result(suite.admin.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])], **options))

    before = shown()
    given, default = ConfigSource.DYNAMIC_TOPIC_CONFIG.value, ConfigSource.DEFAULT_CONFIG.value
    equal(("60000", given), (before["retention.ms"].value, before["retention.ms"].source), "retention.ms")
    equal(("1048588", default), (before["max.message.bytes"].value, before["max.message.bytes"].source), "default")
    check(before["retention.ms"].synonyms, "synonyms")
    alter("max.message.bytes", "5000")
    alter("retention.ms", None, AlterConfigOpType.DELETE)
    alter("max.message.bytes", "6000", validate_only=True)
    wait("the changes", lambda: shown()["max.message.bytes"].value == "5000" and shown()["retention.ms"].source != given)
    after = shown()
    equal(("5000", given), (after["max.message.bytes"].value, after["max.message.bytes"].source), "altered")
    check(after["retention.ms"].source != given, "deleted")
    refused(KafkaError.INVALID_CONFIG, lambda: alter("no.such.setting", "1"))
    refused(KafkaError.INVALID_CONFIG, lambda: alter("retention.ms", "soon"))
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: shown(name="no-such-topic"))
    broker = shown(ResourceType.BROKER, str(suite.admin.list_topics().controller_id))
    equal("4", broker["num.partitions"].value, "num.partitions of the broker")
    check("log.retention.ms" in broker and "message.max.bytes" in broker, "settings of the broker")


def listed(suite, group, states):
    found = suite.admin.list_consumer_groups(states=states).result()
    equal([], found.errors, "errors")
    return group in [one.group_id for one in found.valid]


def groups(suite):
    topic, group = suite.topic(2), suite.name
    suite.send(topic, 2, 10)
    describe_group = lambda: result(suite.admin.describe_consumer_groups([group]))  # noqa: E731
    with Member(suite, topic, group, **{"client.id": "someone"}) as member:
        wait("its records", lambda: member.poll() or len(member.messages) == 10)
        member.consumer.commit(asynchronous=False)
        described = describe_group()
        equal(ConsumerGroupState.STABLE, described.state, "state")
        equal(["someone"], [one.client_id for one in described.members], "members")
        assigned = {(part.topic, part.partition) for part in described.members[0].assignment.topic_partitions}
        equal({(topic, 0), (topic, 1)}, assigned, "assignment")
        check(listed(suite, group, {ConsumerGroupState.STABLE}), "listed as stable")
        check(not listed(suite, group, {ConsumerGroupState.EMPTY}), "not listed as empty")
        refused(KafkaError.NON_EMPTY_GROUP, lambda: result(suite.admin.delete_consumer_groups([group])))
    equal(ConsumerGroupState.EMPTY, describe_group().state, "state without members")
    check(listed(suite, group, {ConsumerGroupState.EMPTY}), "listed as empty")
    result(suite.admin.delete_consumer_groups([group]))
    refused(KafkaError.GROUP_ID_NOT_FOUND, lambda: result(suite.admin.delete_consumer_groups([group])))
    check(not listed(suite, group, set()), "no longer listed")


def group_offsets(suite):
    topic, group = suite.topic(2), suite.name
    suite.send(topic, 2, 20)
    wanted = [TopicPartition(topic, 0, 7), TopicPartition(topic, 1, 3)]
    result(suite.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)]))
    offsets = result(suite.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    equal({0: 7, 1: 3}, {one.partition: one.offset for one in offsets.topic_partitions}, "offsets")
    with suite.consumer(group_id=group) as consumer:
        consumer.subscribe([topic])
        messages = read(consumer, 10)
        equal({(0, 7), (0, 8), (0, 9)}, {(0, m.offset()) for m in messages if m.partition() == 0}, "from the offset set")
        equal(10, len(messages), "records")
        consumer.commit(asynchronous=False)
    result(suite.admin.delete_consumer_groups([group]))
    offsets = result(suite.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    equal([], offsets.topic_partitions, "offsets of a deleted group")


def cluster(suite):
    described = suite.admin.describe_cluster().result()
    equal([suite.broker], [f"{node.host}:{node.port}" for node in described.nodes], "nodes")
    equal(described.nodes[0].id, described.controller.id, "controller")
    check(described.cluster_id, "cluster id")
    equal(described.cluster_id, suite.admin.list_topics().cluster_id, "cluster id in Metadata")
