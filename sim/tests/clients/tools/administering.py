"""Cases about topics, settings, groups and the cluster."""

import json
import re

from suite import check, contains, equal, wait


def topics(suite):
    topic = suite.topic(3, "retention.ms=60000")
    create = ["--create", "--topic", topic, "--partitions", "3"]
    contains(suite.tool("topics", *create, fails=True), "already exists")
    suite.tool("topics", *create, "--if-not-exists")
    contains(suite.tool("topics", "--create", "--topic", topic + "0", "--config", "retention.ms=soon", fails=True),
             "retention.ms")
    check(topic in suite.tool("topics", "--list").split(), "it is listed")
    contains(suite.tool("topics", "--describe", "--topic", topic),
             "PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=60000", "Partition: 2", "Isr: 1")
    equal("", suite.tool("topics", "--describe", "--under-replicated-partitions"), "under-replicated partitions")
    suite.tool("topics", "--delete", "--topic", topic)
    check(topic not in suite.tool("topics", "--list").split(), "no longer listed")
    contains(suite.tool("topics", "--delete", "--topic", topic, fails=True), "does not exist")


def partitions(suite):
    topic = suite.topic(3)
    alter = ["--alter", "--topic", topic, "--partitions"]
    suite.tool("topics", *alter, "6")
    contains(suite.tool("topics", "--describe", "--topic", topic), "PartitionCount: 6")
    contains(suite.tool("topics", *alter, "2", fails=True), "6 partition")
    suite.perf(topic, 6_000, "batch.size=300")
    check(all(suite.offsets(topic)[partition] for partition in range(6)), "records in every partition")


def configs(suite):
    topic = suite.topic(1, "retention.ms=60000")
    entity = ["--entity-type", "topics", "--entity-name", topic]
    contains(suite.tool("configs", "--describe", *entity),
             "retention.ms=60000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=60000")
    suite.tool("configs", "--alter", *entity, "--add-config", "max.message.bytes=5000,cleanup.policy=[delete,compact]")
    suite.tool("configs", "--alter", *entity, "--delete-config", "retention.ms")
    after = suite.tool("configs", "--describe", *entity)
    contains(after, "max.message.bytes=5000", "cleanup.policy=delete,compact")
    check("retention.ms=" not in after, after)
    contains(suite.tool("configs", "--describe", "--all", *entity), "retention.ms=", "DEFAULT_CONFIG:")
    contains(suite.tool("configs", "--alter", *entity, "--add-config", "no.such.setting=1", fails=True),
             "no.such.setting")
    contains(suite.tool("configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"),
             "num.partitions=4", "log.retention.ms=", "message.max.bytes=")


def described(suite, group, *more):
    return suite.tool("consumer-groups", "--describe", "--group", group, *more)


def groups(suite):
    topic, group = suite.topic(2), suite.name
    suite.produce(topic, [f"record {number}" for number in range(10)])
    member = ["--topic", topic, "--group", group, "--from-beginning"]
    with suite.start("console-consumer", *member) as process:
        wait("its assignment", lambda: re.search(rf"{topic}\W0,1", described(suite, group, "--members", "--verbose")))
        contains(described(suite, group), group, topic, "console-consumer")
        contains(described(suite, group, "--state"), "Stable", "range")
        check(group in suite.tool("consumer-groups", "--list", "--state", "Stable"), "listed as stable")
        contains(suite.tool("consumer-groups", "--delete", "--group", group), "not empty")
        process.terminate()
        out, _ = process.communicate(timeout=60)
        equal(10, len(set(out.splitlines())), "records")
    contains(described(suite, group, "--state"), "Empty")
    check(group in suite.tool("consumer-groups", "--list", "--state", "empty"), "listed as empty")
    contains(suite.tool("consumer-groups", "--delete", "--group", group), "was successful")
    check(group not in suite.tool("consumer-groups", "--list"), "no longer listed")


def group_offsets(suite):
    topic, group = suite.topic(2), suite.name
    suite.perf(topic, 2_000, "batch.size=300")
    suite.consume(topic, 2_000, "--group", group, "--from-beginning")
    reset = ["--reset-offsets", "--group", group, "--topic", f"{topic}:0"]
    contains(suite.tool("consumer-groups", *reset, "--to-offset", "7", "--dry-run"), "7")

    def offsets():
        rows = [line.split() for line in described(suite, group).splitlines()]
        return {int(row[2]): row[3] for row in rows if len(row) > 4 and row[1] == topic}

    check(offsets()[0] != "7", "a dry run changes nothing")
    suite.tool("consumer-groups", *reset, "--to-offset", "7", "--execute")
    equal("7", offsets()[0], "offset set")
    suite.tool("consumer-groups", *reset, "--shift-by", "-2", "--execute")
    equal("5", offsets()[0], "offset shifted")
    suite.tool("consumer-groups", *reset, "--to-datetime", "2020-01-01T00:00:00.000", "--execute")
    equal("0", offsets()[0], "offset by time")
    suite.tool("consumer-groups", "--delete-offsets", "--group", group, "--topic", f"{topic}:1")
    check(offsets().get(1, "-") == "-", "offset deleted")


def cluster(suite):
    contains(suite.tool("cluster", "cluster-id"), "Cluster ID: ")
    contains(suite.tool("broker-api-versions"), suite.broker, "Produce(0): 0 to", "usable:")


def log_dirs(suite):
    topic = suite.topic(2)
    suite.perf(topic, 1_000, "batch.size=300")
    out = suite.tool("log-dirs", "--describe", "--topic-list", topic)
    (answer,) = (json.loads(line) for line in out.splitlines() if line.startswith("{"))
    found = [partition for broker in answer["brokers"] for log_dir in broker["logDirs"]
             for partition in log_dir["partitions"]]
    equal({f"{topic}-0", f"{topic}-1"}, {partition["partition"] for partition in found}, "partitions")
    check(sum(partition["size"] for partition in found) > 1_000 * 300, f"sizes: {found}")
