import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What a case works with. Its topics are deleted when it ends. */
final class Suite implements AutoCloseable {
    static final Duration POLL = Duration.ofMillis(100);
    private static final long PATIENCE_SECONDS = 60;

    final String broker;
    final String proxy;
    final Path cuts;
    final String name;
    final Admin admin;
    private final List<String> topics = new ArrayList<>();

    Suite(String[] arguments, String test) {
        broker = arguments[0];
        proxy = arguments[1];
        cuts = Path.of(arguments[2]);
        // What the case before the restart leaves, the one after it finds.
        name = "java-" + test.replaceFirst("-(before|after)", "") + "-" + arguments[3];
        admin = Admin.create(properties(Map.of()));
    }

    Properties properties(Map<String, ?> settings) {
        Properties all = new Properties();
        all.put("bootstrap.servers", broker);
        all.putAll(settings);
        return all;
    }

    String topic(int partitions, Map<String, String> config) throws Exception {
        String topic = name + "-" + topics.size();
        NewTopic wanted = new NewTopic(topic, partitions, (short) 1).configs(config);
        result(admin.createTopics(List.of(wanted)).all());
        topics.add(topic);
        settled(topic, partitions);
        return topic;
    }

    /** Waits until every partition has a leader that answers: Kafka creates topics before it serves them. */
    void settled(String topic, int partitions) throws Exception {
        await(partitions + " partitions of " + topic, () -> {
            try {
                var description = result(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
                Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
                partitions(topic, partitions).forEach(partition -> ends.put(partition, OffsetSpec.latest()));
                return description.partitions().size() == partitions && result(admin.listOffsets(ends).all()) != null;
            } catch (UnknownTopicOrPartitionException error) {
                return false;
            }
        });
    }

    /** Leaves the topics of this case to the one after the restart. */
    void leaveTopics() {
        topics.clear();
    }

    /** The topic that the case before the restart has left. */
    String foundTopic() {
        topics.add(name + "-0");
        return topics.get(0);
    }

    String topic(int partitions) throws Exception {
        return topic(partitions, Map.of());
    }

    KafkaProducer<byte[], byte[]> producer(Map<String, ?> settings) {
        return new KafkaProducer<>(properties(settings), new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<byte[], byte[]> consumer(Map<String, ?> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("enable.auto.commit", "false", "auto.offset.reset", "earliest"));
        all.putAll(settings);
        return new KafkaConsumer<>(properties(all), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** A consumer that reads these partitions without a group. */
    KafkaConsumer<byte[], byte[]> reader(String topic, int partitions) {
        KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of());
        consumer.assign(partitions(topic, partitions));
        return consumer;
    }

    static Collection<TopicPartition> partitions(String topic, int count) {
        List<TopicPartition> all = new ArrayList<>();
        for (int partition = 0; partition < count; partition++) {
            all.add(new TopicPartition(topic, partition));
        }
        return all;
    }

    /** Everything that a topic holds, from its start to its end. */
    List<ConsumerRecord<byte[], byte[]>> readAll(String topic, int partitions) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = reader(topic, partitions)) {
            consumer.seekToBeginning(consumer.assignment());
            Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
            List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
            await("the end of " + topic, () -> {
                consumer.poll(POLL).forEach(all::add);
                return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
            });
            return all;
        }
    }

    static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, int count)
            throws Exception {
        List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
        await(count + " records", () -> {
            consumer.poll(POLL).forEach(all::add);
            return all.size() >= count;
        });
        return all;
    }

    long cutsOf(String client) throws Exception {
        return Files.readAllLines(cuts).stream().filter(client::equals).count();
    }

    /** The result, or the error that it has in place of one. */
    static <T> T result(Future<T> future) throws Exception {
        try {
            return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException error) {
            throw error.getCause() instanceof Exception cause ? cause : error;
        }
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    static void await(String what, Condition done) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!done.holds()) {
            check(System.nanoTime() < deadline, "waited in vain for " + what);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        check(expected.equals(actual), what + ": expected " + expected + ", got " + actual);
    }

    interface Attempt {
        void run() throws Exception;
    }

    /** The attempt fails with exactly this error. */
    static void refused(Class<? extends Throwable> expected, Attempt attempt) {
        Throwable got;
        try {
            attempt.run();
            got = null;
        } catch (Exception error) {
            got = error;
        }
        check(expected.isInstance(got), "expected " + expected.getSimpleName() + ", got " + got);
    }

    @Override
    public void close() throws Exception {
        try (admin) {
            result(admin.deleteTopics(topics).all());
        }
    }
}
