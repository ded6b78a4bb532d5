import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** Cases about consumer groups. */
final class Grouping {
    private Grouping() {}

    /** A member, and what has happened to it. */
    static final class Member implements ConsumerRebalanceListener, AutoCloseable {
        final KafkaConsumer<byte[], byte[]> consumer;
        final List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        int assignments;

        Member(Suite suite, String topic, String group, Map<String, ?> settings) {
            Map<String, Object> all = new HashMap<>(Map.of("group.id", group, "session.timeout.ms", "20000", "heartbeat.interval.ms", "200"));
            all.putAll(settings);
            consumer = suite.consumer(all);
            consumer.subscribe(List.of(topic), this);
        }

        void poll() {
            consumer.poll(Suite.POLL).forEach(records::add);
        }

        int partitions() {
            return consumer.assignment().size();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
            consumer.commitSync();
        }

        /** What a fence has taken away cannot be committed. */
        @Override
        public void onPartitionsLost(Collection<TopicPartition> lost) {}

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
            assignments++;
        }

        @Override
        public void close() {
            consumer.close();
        }
    }

    static Set<String> positions(List<ConsumerRecord<byte[], byte[]>> records) {
        Set<String> all = new HashSet<>();
        records.forEach(record -> all.add(record.partition() + "/" + record.offset()));
        return all;
    }

    static void resume(Suite suite) throws Exception {
        String topic = suite.topic(3);
        Producing.sendNumbered(suite, topic, 3, 300, Map.of());
        Map<String, String> settings = Map.of("group.id", suite.name, "max.poll.records", "50");
        Set<String> first;
        try (KafkaConsumer<byte[], byte[]> consumer = suite.consumer(settings)) {
            consumer.subscribe(List.of(topic));
            first = positions(Suite.read(consumer, 100));
            consumer.commitSync();
        }
        List<Set<String>> rests = new ArrayList<>();
        for (boolean commits : new boolean[] {false, true}) {
            try (KafkaConsumer<byte[], byte[]> consumer = suite.consumer(settings)) {
                consumer.subscribe(List.of(topic));
                rests.add(positions(Suite.read(consumer, 300 - first.size())));
                if (commits) {
                    consumer.commitSync();
                }
            }
        }
        Suite.equal(rests.get(0), rests.get(1), "what was not committed is read again");
        Suite.check(first.stream().noneMatch(rests.get(0)::contains), "what was committed is not");
        first.addAll(rests.get(0));
        Suite.equal(300, first.size(), "together all");
        Suite.equal(300L, committed(suite), "committed");
    }

    private static long committed(Suite suite) throws Exception {
        return Suite.result(suite.admin.listConsumerGroupOffsets(suite.name).partitionsToOffsetAndMetadata())
            .values().stream().mapToLong(committed -> committed.offset()).sum();
    }

    static void restartBefore(Suite suite) throws Exception {
        String topic = suite.topic(3, Map.of("retention.ms", "86400000"));
        Producing.sendNumbered(suite, topic, 3, 300, Map.of());
        try (KafkaConsumer<byte[], byte[]> consumer =
                suite.consumer(Map.of("group.id", suite.name, "max.poll.records", "50"))) {
            consumer.subscribe(List.of(topic));
            int count = Suite.read(consumer, 100).size();
            consumer.commitSync();
            Suite.equal((long) count, committed(suite), "committed");
        }
        suite.leaveTopics();
    }

    static void restartAfter(Suite suite) throws Exception {
        String topic = suite.foundTopic();
        Producing.checkNumbered(suite.readAll(topic, 3), 3, 300);
        long committed = committed(suite);
        Suite.check(committed >= 100 && committed < 300, "committed: " + committed);
        try (KafkaConsumer<byte[], byte[]> consumer = suite.consumer(Map.of("group.id", suite.name))) {
            consumer.subscribe(List.of(topic));
            Suite.equal((int) (300 - committed), Suite.read(consumer, (int) (300 - committed)).size(), "the rest");
        }
        Suite.equal("86400000", Administering.topicSetting(suite, topic, "retention.ms"), "retention.ms");
        Producing.sendNumbered(suite, topic, 3, 30, Map.of());
        Suite.equal(330, suite.readAll(topic, 3).size(), "records");
    }

    static void rebalance(Suite suite) throws Exception {
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            rebalance(suite, suite.name + assignor,
                Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor));
        }
    }

    private static void rebalance(Suite suite, String group, Map<String, ?> settings) throws Exception {
        String topic = suite.topic(4);
        try (Member first = new Member(suite, topic, group, settings)) {
            Producing.sendNumbered(suite, topic, 4, 200, Map.of());
            Suite.await("all partitions at the first member", () -> {
                first.poll();
                return first.partitions() == 4 && first.records.size() >= 100;
            });
            List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
            try (Member second = new Member(suite, topic, group, settings)) {
                Suite.await("half of the partitions each", () -> {
                    first.poll();
                    second.poll();
                    return first.partitions() == 2 && second.partitions() == 2;
                });
                Producing.sendNumbered(suite, topic, 4, 200, Map.of());
                Suite.await("what the second half of the partitions got", () -> {
                    first.poll();
                    second.poll();
                    return second.records.size() >= 100;
                });
                all.addAll(second.records);
            }
            Producing.sendNumbered(suite, topic, 4, 200, Map.of());
            Suite.await("every record", () -> {
                first.poll();
                Set<String> seen = positions(all);
                seen.addAll(positions(first.records));
                return first.partitions() == 4 && seen.size() == 600;
            });
        }
    }

    static void staticMember(Suite suite) throws Exception {
        String topic = suite.topic(4);
        try (Member stays = new Member(suite, topic, suite.name, Map.of("group.instance.id", "stays"))) {
            Member restarts = new Member(suite, topic, suite.name, Map.of("group.instance.id", "restarts"));
            Suite.await("half of the partitions each", () -> {
                stays.poll();
                restarts.poll();
                return stays.partitions() == 2 && restarts.partitions() == 2;
            });
            int assignments = stays.assignments;
            Set<TopicPartition> before = restarts.consumer.assignment();
            restarts.close();
            try (Member again = new Member(suite, topic, suite.name, Map.of("group.instance.id", "restarts"))) {
                Suite.await("the partitions again", () -> {
                    stays.poll();
                    again.poll();
                    return again.partitions() == 2;
                });
                Suite.equal(before, again.consumer.assignment(), "its own partitions");
                Suite.equal(assignments, stays.assignments, "assignments of the other member");

                try (Member doubled = new Member(suite, topic, suite.name, Map.of("group.instance.id", "restarts"))) {
                    Suite.await("the partitions at the double", () -> {
                        doubled.poll();
                        return doubled.partitions() == 2;
                    });
                    Suite.refused(FencedInstanceIdException.class,
                        () -> Suite.await("the fence", () -> {
                            again.poll();
                            return false;
                        }));
                }
                again.consumer.unsubscribe();
            }
        }
    }
}
