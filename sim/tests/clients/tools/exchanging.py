"""Cases about records: console producer and consumer, the two benchmarks, get-offsets, delete-records."""

import json
import tempfile
import time

from suite import check, contains, equal, wait


def produce(suite):
    topic = suite.topic(1)
    form = ["--property", "parse.key=true", "--property", "parse.headers=true", "--property", "null.marker=NULL"]
    suite.produce(topic, ["a:1,a:2\tkey\tvalue", "b:3\tNULL\tno key", "b:3\ttombstone\tNULL", "b:3\t\t",
                          "b:3\tlarge\t" + "x" * 100_000], *form)
    shown = ["--property", "print.key=true", "--property", "print.headers=true", "--property", "print.offset=true",
             "--property", "null.literal=NULL", "--from-beginning"]
    equal(["Offset:0\ta:1,a:2\tkey\tvalue", "Offset:1\tb:3\tNULL\tno key", "Offset:2\tb:3\ttombstone\tNULL",
           "Offset:3\tb:3\t\t", "Offset:4\tb:3\tlarge\t" + "x" * 100_000],
          suite.consume(topic, 5, *shown), "records")


def codecs(suite):
    topic = suite.topic(1)
    sent = 0
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        suite.perf(topic, 5_000, f"compression.type={codec}", "linger.ms=5")
        sent += 5_000
    equal({0: sent}, suite.offsets(topic), "end")
    out = suite.tool("consumer-perf", "--topic", topic, "--messages", str(sent), "--timeout", "30000", "--hide-header")
    check(int(out.splitlines()[-1].split(",")[4]) >= sent, f"consumed: {out}")
    equal(2, len(suite.consume(topic, 2, "--partition", "0", "--offset", "7123")), "from within a batch")


def acks(suite):
    topic = suite.topic(1)
    for wanted in ["0", "1", "all"]:
        suite.perf(topic, 1_000, f"acks={wanted}", "enable.idempotence=false")
    equal(3_000, len(suite.consume(topic, 3_000, "--from-beginning")), "records")


def idempotent(suite):
    topic = suite.topic(3)
    suite.perf(topic, 20_000, "enable.idempotence=true", "batch.size=1000", "acks=all")
    equal(20_000, sum(suite.offsets(topic).values()), "records")


def too_large(suite):
    topic = suite.topic(1, "max.message.bytes=10000")
    with suite.start("producer-perf", "--topic", topic, "--num-records", "1", "--record-size", "20000",
                     "--throughput", "-1", "--producer-props", f"bootstrap.servers={suite.broker}") as process:
        contains("".join(process.communicate(timeout=60)), "RecordTooLargeException")
    suite.produce(topic, ["small"])
    equal({0: 1}, suite.offsets(topic), "end")


def unknown_topic(suite):
    contains(suite.tool("topics", "--describe", "--topic", "no-such-topic", fails=True), "does not exist")
    contains(suite.tool("get-offsets", "--topic", "no-such-topic", fails=True), "Could not match")
    check("no-such-topic" not in suite.tool("topics", "--list"), "nothing was created")


def positions(suite):
    topic = suite.topic(1)
    suite.produce(topic, [f"record {number}" for number in range(5)])
    between = int(time.time() * 1000) + 1
    time.sleep(0.01)  # the clock must move on: the next records are later than `between`
    suite.produce(topic, [f"record {number}" for number in range(5, 10)])
    equal({0: 10}, suite.offsets(topic), "end")
    equal({0: 0}, suite.offsets(topic, "earliest"), "start")
    equal({0: 5}, suite.offsets(topic, str(between)), "offset for a timestamp")
    check(suite.offsets(topic, "max-timestamp")[0] >= 5, "the latest timestamp")
    equal(["record 4", "record 5"], suite.consume(topic, 2, "--partition", "0", "--offset", "4"), "from an offset")
    equal(["record 0"], suite.consume(topic, 1, "--partition", "0", "--offset", "earliest"), "from the start")


def times_compressed(suite):
    topic = suite.topic(1)
    lines = [f"record {number}" for number in range(5)]
    suite.produce(topic, lines, "--compression-codec", "gzip")
    between = int(time.time() * 1000) + 1
    time.sleep(0.01)  # the clock must move on: the next records are later than `between`
    suite.produce(topic, lines, "--compression-codec", "gzip")
    equal({0: 5}, suite.offsets(topic, str(between)), "offset for a timestamp")
    equal({0: 0}, suite.offsets(topic, str(between - 60_000)), "offset for a timestamp before all")


def delete_records(suite):
    topic = suite.topic(1)
    suite.produce(topic, [f"record {number}" for number in range(10)])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as wanted:
        json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 4}]}, wanted)
        wanted.flush()
        contains(suite.tool("delete-records", "--offset-json-file", wanted.name), "low_watermark: 4")
    equal({0: 4}, suite.offsets(topic, "earliest"), "start")
    equal(["record 4"], suite.consume(topic, 1, "--from-beginning"), "first record")
    # Its reset, by default, is the end: a reader before the start is moved there, and waits for the next record.
    reset = ["--consumer-property", "auto.offset.reset=earliest"]
    equal(["record 4"], suite.consume(topic, 1, "--partition", "0", "--offset", "1", *reset), "after the reset")


def retention(suite):
    topic = suite.topic(1, "retention.ms=1")
    suite.produce(topic, [f"record {number}" for number in range(5)])
    wait("the end of old records", lambda: suite.offsets(topic, "earliest") == {0: 5})
    suite.tool("configs", "--alter", "--entity-type", "topics", "--entity-name", topic,
               "--delete-config", "retention.ms")
    suite.produce(topic, ["one more"])
    reset = ["--consumer-property", "auto.offset.reset=earliest"]
    equal(["one more"], suite.consume(topic, 1, "--partition", "0", "--offset", "3", *reset), "after the reset")


def many_partitions(suite):
    topic = suite.topic(100)
    # Kafka creates topics before it serves them.
    wait("the partitions", lambda: suite.offsets(topic) == {partition: 0 for partition in range(100)})
    suite.perf(topic, 10_000, "batch.size=1000")
    ends = suite.offsets(topic)
    equal((100, 10_000), (len(ends), sum(ends.values())), "partitions and records")
    equal(10_000, len(suite.consume(topic, 10_000, "--from-beginning")), "records read")


def resume(suite):
    topic = suite.topic(3)
    suite.produce(topic, [f"record {number}" for number in range(20)])
    group = ["--group", suite.name, "--from-beginning"]
    first = suite.consume(topic, 20, *group)
    equal(20, len(set(first)), "records")
    suite.produce(topic, ["one more"])
    equal(["one more"], suite.consume(topic, 1, *group), "behind the commit")


def restart_before(suite):
    topic = suite.topic(3, "retention.ms=86400000")
    suite.produce(topic, [f"record {number}" for number in range(20)])
    equal(5, len(suite.consume(topic, 5, "--group", suite.name, "--from-beginning")), "records")


def restart_after(suite):
    topic = suite.name
    equal(sorted(f"record {number}" for number in range(20)),
          sorted(suite.consume(topic, 20, "--from-beginning")), "records")
    equal(15, len(set(suite.consume(topic, 15, "--group", suite.name))), "the rest of the group's records")
    contains(suite.tool("configs", "--describe", "--entity-type", "topics", "--entity-name", topic),
             "retention.ms=86400000")
    suite.produce(topic, ["one more"])
    equal(["one more"], suite.consume(topic, 1, "--group", suite.name), "behind the commit")


def rebalance(suite):
    topic = suite.topic(4)
    arguments = ["--topic", topic, "--group", suite.name, "--from-beginning", "--timeout-ms", "20000"]
    with suite.start("console-consumer", *arguments, "--max-messages", "1") as one, \
            suite.start("console-consumer", *arguments, "--max-messages", "1") as two:

        def shares():
            described = suite.tool("consumer-groups", "--describe", "--group", suite.name, "--members")
            return [line.split()[4] for line in described.splitlines() if line.startswith(suite.name)]
        wait("two members", lambda: shares() == ["2", "2"])
        suite.perf(topic, 400, "batch.size=300")
        for process in (one, two):
            out, err = process.communicate(timeout=60)
            equal(1, len(out.splitlines()), f"records of a member ({err})")
