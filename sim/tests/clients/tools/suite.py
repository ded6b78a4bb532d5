"""Runs Kafka's tools. Starting one takes a second of a processor, so a case asks for what it must see, no more."""

import contextlib
import os
import pathlib
import subprocess
import time

# Classes ready to use, left behind by a first tool: they halve what the start of each further one costs.
ARCHIVE = pathlib.Path(os.environ["TOOLS_ARCHIVE"])
# A short life does not repay the optimising compiler.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Xshare:auto"]
PATIENCE_SECONDS = 60

# The classes that Kafka's shell scripts start.
CLASSES = {
    "topics": "TopicCommand",
    "configs": "ConfigCommand",
    "consumer-groups": "consumer.group.ConsumerGroupCommand",
    "console-producer": "ConsoleProducer",
    "console-consumer": "consumer.ConsoleConsumer",
    "producer-perf": "ProducerPerformance",
    "consumer-perf": "ConsumerPerformance",
    "get-offsets": "GetOffsetShell",
    "delete-records": "DeleteRecordsCommand",
    "log-dirs": "LogDirsCommand",
    "cluster": "ClusterTool",
    "broker-api-versions": "BrokerApiVersionsCommand",
    "metadata-quorum": "MetadataQuorumCommand",
}


class Suite:
    def __init__(self, broker, name):
        self.broker, self.name = broker, name

    def topic(self, partitions, *config):
        """The one topic of this case."""
        configs = [word for pair in config for word in ("--config", pair)]
        self.tool("topics", "--create", "--topic", self.name, "--partitions", str(partitions), *configs)
        return self.name

    def archive(self):
        if not ARCHIVE.exists():
            fresh = ARCHIVE.with_suffix(f".{os.getpid()}")
            with self.start("topics", "--list", java=[f"-XX:ArchiveClassesAtExit={fresh}"]) as process:
                process.communicate()
            fresh.rename(ARCHIVE)

    @contextlib.contextmanager
    def start(self, tool, *arguments, java=(f"-XX:SharedArchiveFile={ARCHIVE}",)):
        """A running tool with pipes, for as long as it is wanted; `tool` below runs one to its end."""
        package = "kafka.admin" if CLASSES[tool] == "ConfigCommand" else "org.apache.kafka.tools"
        where = [] if tool == "producer-perf" else ["--bootstrap-server", self.broker]
        if tool == "cluster":
            where, arguments = [], [*arguments, "--bootstrap-server", self.broker]
        with subprocess.Popen([*JAVA, *java, f"{package}.{CLASSES[tool]}", *where, *arguments], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

    def tool(self, tool, *arguments, stdin="", fails=False):
        """What the tool prints. It must succeed, or fail where that is wanted: then what it says about that."""
        with self.start(tool, *arguments) as process:
            out, err = process.communicate(stdin, PATIENCE_SECONDS)
        words = f"{tool} {' '.join(arguments)}"
        check((process.returncode != 0) == fails, f"{words}: exit status {process.returncode}: {out} {err}")
        return out + err if fails else out

    def produce(self, topic, lines, *arguments):
        self.tool("console-producer", "--topic", topic, *arguments, stdin="".join(f"{line}\n" for line in lines))

    def consume(self, topic, count, *arguments):
        limits = ["--max-messages", str(count), "--timeout-ms", str(PATIENCE_SECONDS * 500)]
        return self.tool("console-consumer", "--topic", topic, *limits, *arguments).splitlines()

    def perf(self, topic, count, *properties):
        """Kafka's own producer benchmark, for its many records rather than its figures."""
        out = self.tool("producer-perf", "--topic", topic, "--num-records", str(count), "--record-size", "300",
                        "--throughput", "-1", "--producer-props", f"bootstrap.servers={self.broker}", *properties)
        check(f"{count} records sent" in out, out)

    def offsets(self, topic, time="-1"):
        """Offset by partition, as get-offsets prints it."""
        out = self.tool("get-offsets", "--topic", topic, "--time", time)
        return {int(partition): int(offset or -1)
                for partition, offset in (line.split(":")[1:] for line in out.splitlines() if line.startswith(topic))}


def wait(what, done):
    """Every look at it starts a tool, which is pause enough."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        check(time.monotonic() < deadline, f"waited in vain for {what}")


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def equal(expected, actual, what):
    check(expected == actual, f"{what}: expected {str(expected)[:300]}, got {str(actual)[:300]}")


def contains(text, *parts):
    for part in parts:
        check(part in text, f"expected {part} in: {text}")
