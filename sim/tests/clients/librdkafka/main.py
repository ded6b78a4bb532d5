"""librdkafka through confluent-kafka, case by case: main.py BROKER PROXY CUTS RUN CASE…"""

import sys
import time
import traceback

import administering
import grouping
import producing
import reading
from suite import Suite

CASES = {
    "produce": producing.produce,
    "codecs": producing.codecs,
    "acks": producing.acks,
    "idempotent": producing.idempotent,
    "cut": producing.cut,
    "too-large": producing.too_large,
    "unknown-topic": producing.unknown_topic,
    "positions": reading.positions,
    "times-compressed": reading.times_compressed,
    "delete-records": reading.delete_records,
    "retention": reading.retention,
    "many-partitions": reading.many_partitions,
    "resume": grouping.resume,
    "rebalance": grouping.rebalance,
    "restart-before": grouping.restart_before,
    "restart-after": grouping.restart_after,
    "static-member": grouping.static_member,
    "topics": administering.topics,
    "partitions": administering.partitions,
    "configs": administering.configs,
    "groups": administering.groups,
    "group-offsets": administering.group_offsets,
    "cluster": administering.cluster,
}


def main():
    broker, proxy, cuts, run, *cases = sys.argv[1:]
    for case in cases:
        started = time.monotonic()
        try:
            # What the case before the restart leaves, the one after it finds.
            name = "restart" if case.startswith("restart-") else case
            with Suite(broker, proxy, cuts, f"librdkafka-{name}-{run}") as suite:
                CASES[case](suite)
            print(f"ok {case} {time.monotonic() - started:.1f} s", flush=True)
        except Exception as error:
            traceback.print_exc()
            print(f"fail {case}", " ".join(f"{type(error).__name__} {error}".split()), flush=True)


main()
