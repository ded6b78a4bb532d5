import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Cases about producers. */
final class Producing {
    private Producing() {}

    static byte[] bytes(String text) {
        return text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }

    static void produce(Suite suite) throws Exception {
        String topic = suite.topic(1);
        byte[] large = new byte[1_000_000];
        new Random(1).nextBytes(large);
        List<Header> headers = List.of(
            new RecordHeader("a", bytes("1")), new RecordHeader("a", bytes("2")),
            new RecordHeader("empty", new byte[0]), new RecordHeader("null", (byte[]) null));
        List<ProducerRecord<byte[], byte[]>> sent = List.of(
            new ProducerRecord<>(topic, 0, bytes("key"), bytes("value"), headers),
            new ProducerRecord<>(topic, 0, null, bytes("no key")),
            new ProducerRecord<>(topic, 0, bytes("tombstone"), null),
            new ProducerRecord<>(topic, 0, new byte[0], new byte[0]),
            new ProducerRecord<>(topic, 0, bytes("large"), large));
        try (KafkaProducer<byte[], byte[]> producer = suite.producer(Map.of())) {
            long offset = 0;
            for (ProducerRecord<byte[], byte[]> record : sent) {
                RecordMetadata at = Suite.result(producer.send(record));
                Suite.equal(offset++, at.offset(), "offset of an acknowledged record");
            }
        }
        List<ConsumerRecord<byte[], byte[]>> got = suite.readAll(topic, 1);
        Suite.equal(sent.size(), got.size(), "records");
        for (int at = 0; at < sent.size(); at++) {
            Suite.check(Arrays.equals(sent.get(at).key(), got.get(at).key()), "key of record " + at);
            Suite.check(Arrays.equals(sent.get(at).value(), got.get(at).value()), "value of record " + at);
            Suite.equal(List.of(sent.get(at).headers().toArray()), List.of(got.get(at).headers().toArray()), "headers");
        }
    }

    static void codecs(Suite suite) throws Exception {
        int records = 300;
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = suite.topic(1);
            sendNumbered(suite, topic, 1, records,
                Map.of("compression.type", codec, "linger.ms", "1000", "batch.size", "1000000"));
            checkNumbered(suite.readAll(topic, 1), 1, records);
            try (KafkaConsumer<byte[], byte[]> consumer = suite.reader(topic, 1)) {
                consumer.seek(new TopicPartition(topic, 0), 137);
                List<ConsumerRecord<byte[], byte[]>> rest = Suite.read(consumer, records - 137);
                Suite.equal(137L, rest.get(0).offset(), codec + ": first offset from within a batch");
                Suite.equal(137, ByteBuffer.wrap(rest.get(0).value()).getInt(), codec + ": first record");
            }
        }
    }

    static void acks(Suite suite) throws Exception {
        for (String acks : List.of("0", "1", "all")) {
            String topic = suite.topic(1);
            sendNumbered(suite, topic, 1, 50, Map.of("acks", acks, "enable.idempotence", "false"));
            try (KafkaConsumer<byte[], byte[]> consumer = suite.reader(topic, 1)) {
                checkNumbered(Suite.read(consumer, 50), 1, 50);
            }
        }
    }

    static void idempotent(Suite suite) throws Exception {
        String topic = suite.topic(3);
        sendNumbered(suite, topic, 3, 5_000, Map.of("batch.size", "1000", "linger.ms", "0"));
        checkNumbered(suite.readAll(topic, 3), 3, 5_000);
    }

    static void cut(Suite suite) throws Exception {
        int records = 80;
        String safe = "cut-" + suite.name;
        Map<String, String> settings = Map.of(
            "bootstrap.servers", suite.proxy, "client.id", safe, "batch.size", "0",
            "retry.backoff.ms", "10", "reconnect.backoff.ms", "10", "reconnect.backoff.max.ms", "50");
        String topic = suite.topic(1);
        sendNumbered(suite, topic, 1, records, settings);
        Suite.check(suite.cutsOf(safe) >= 5, "the proxy did not cut");
        checkNumbered(suite.readAll(topic, 1), 1, records);

        // The counter-check: the same cuts double records of a producer that is not idempotent.
        String unsafe = "cut-unsafe-" + suite.name;
        var without = new java.util.HashMap<String, String>(settings);
        without.putAll(Map.of("client.id", unsafe, "enable.idempotence", "false"));
        topic = suite.topic(1);
        sendNumbered(suite, topic, 1, records, without);
        Suite.check(suite.cutsOf(unsafe) >= 5, "the proxy did not cut");
        Suite.check(suite.readAll(topic, 1).size() > records, "cuts double records that are not idempotent");
    }

    static void tooLarge(Suite suite) throws Exception {
        String topic = suite.topic(1, Map.of("max.message.bytes", "10000"));
        try (KafkaProducer<byte[], byte[]> producer = suite.producer(Map.of("max.request.size", "5000000"))) {
            Suite.refused(RecordTooLargeException.class,
                () -> Suite.result(producer.send(new ProducerRecord<>(topic, 0, null, new byte[20_000]))));
            Suite.result(producer.send(new ProducerRecord<>(topic, 0, null, new byte[5_000])));
        }
        Suite.equal(1, suite.readAll(topic, 1).size(), "records");
    }

    static void unknownTopic(Suite suite) throws Exception {
        Suite.refused(UnknownTopicOrPartitionException.class,
            () -> Suite.result(suite.admin.describeTopics(List.of("no-such-topic")).allTopicNames()));
        try (KafkaConsumer<byte[], byte[]> consumer = suite.consumer(Map.of("allow.auto.create.topics", "false"))) {
            Suite.equal(List.of(), consumer.partitionsFor("no-such-topic"), "partitions of no topic");
        }
        Suite.check(!Suite.result(suite.admin.listTopics().names()).contains("no-such-topic"), "nothing was created");
        String topic = suite.topic(1);
        try (KafkaProducer<byte[], byte[]> producer = suite.producer(Map.of("max.block.ms", "1000"))) {
            Suite.refused(TimeoutException.class,
                () -> Suite.result(producer.send(new ProducerRecord<>(topic, 7, null, new byte[1]))));
        }
    }

    /** Sends 0, 1, 2… as the first four bytes of the values, over the partitions in turn, and flushes. */
    static void sendNumbered(Suite suite, String topic, int partitions, int count, Map<String, String> settings)
            throws Exception {
        List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = suite.producer(settings)) {
            for (int number = 0; number < count; number++) {
                byte[] value = ByteBuffer.allocate(200).putInt(number).array();
                acknowledgements.add(producer.send(new ProducerRecord<>(topic, number % partitions, null, value)));
            }
            producer.flush();
            for (Future<RecordMetadata> acknowledgement : acknowledgements) {
                Suite.result(acknowledgement);
            }
            producer.close(Duration.ofSeconds(10));
        }
    }

    /** Every number is there once, and each partition has its own in order. */
    static void checkNumbered(List<ConsumerRecord<byte[], byte[]>> records, int partitions, int count) {
        Suite.equal(count, records.size(), "records");
        int[] next = new int[partitions];
        Set<Integer> seen = new HashSet<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            int number = ByteBuffer.wrap(record.value()).getInt();
            Suite.equal(next[record.partition()] * partitions + record.partition(), number, "order");
            next[record.partition()]++;
            seen.add(number);
        }
        Suite.equal(count, seen.size(), "different records");
    }
}
