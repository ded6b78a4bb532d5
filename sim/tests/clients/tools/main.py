"""Kafka's own command-line tools, case by case: main.py BROKER PROXY CUTS RUN CASE…

Their jars come by CLASSPATH, as `java` itself reads it.
"""

import sys
import time
import traceback

import administering
import exchanging
from suite import Suite

CASES = {
    "produce": exchanging.produce,
    "codecs": exchanging.codecs,
    "acks": exchanging.acks,
    "idempotent": exchanging.idempotent,
    "too-large": exchanging.too_large,
    "unknown-topic": exchanging.unknown_topic,
    "positions": exchanging.positions,
    "times-compressed": exchanging.times_compressed,
    "delete-records": exchanging.delete_records,
    "retention": exchanging.retention,
    "many-partitions": exchanging.many_partitions,
    "resume": exchanging.resume,
    "rebalance": exchanging.rebalance,
    "restart-before": exchanging.restart_before,
    "restart-after": exchanging.restart_after,
    "topics": administering.topics,
    "partitions": administering.partitions,
    "configs": administering.configs,
    "groups": administering.groups,
    "group-offsets": administering.group_offsets,
    "cluster": administering.cluster,
    "log-dirs": administering.log_dirs,
}


def main():
    broker, _proxy, _cuts, run, *cases = sys.argv[1:]
    Suite(broker, "").archive()
    for case in cases:
        started = time.monotonic()
        try:
            # What the case before the restart leaves, the one after it finds.
            name = "restart" if case.startswith("restart-") else case
            CASES[case](Suite(broker, f"tools-{name}-{run}"))
            print(f"ok {case} {time.monotonic() - started:.1f} s", flush=True)
        except Exception as error:
            traceback.print_exc()
            print(f"fail {case}", " ".join(f"{type(error).__name__} {error}".split()), flush=True)
    # The topics of all cases at once: the tool takes a pattern.
    if "restart-before" not in cases:
        Suite(broker, "").tool("topics", "--delete", "--if-exists", "--topic", f"tools-.*-{run}")


main()
