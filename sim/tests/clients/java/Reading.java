import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Cases about consumers without a group. */
final class Reading {
    private Reading() {}

    /** Ten records, a second apart; in one batch where they linger. */
    private static long sendTimed(Suite suite, String topic, String codec) throws Exception {
        long start = System.currentTimeMillis() - 60_000;
        Map<String, String> settings = Map.of("compression.type", codec, "linger.ms", codec.equals("none") ? "0" : "1000");
        try (KafkaProducer<byte[], byte[]> producer = suite.producer(settings)) {
            for (int number = 0; number < 10; number++) {
                producer.send(new ProducerRecord<>(topic, 0, start + number * 1_000, null, new byte[] {(byte) number}));
                if (codec.equals("none")) {
                    producer.flush();
                }
            }
        }
        return start;
    }

    static void positions(Suite suite) throws Exception {
        String topic = suite.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        long start = sendTimed(suite, topic, "none");
        try (KafkaConsumer<byte[], byte[]> consumer = suite.reader(topic, 1)) {
            Suite.equal(0L, Suite.read(consumer, 10).get(0).offset(), "earliest");
            Suite.equal(Map.of(partition, 0L), consumer.beginningOffsets(List.of(partition)), "beginning");
            Suite.equal(Map.of(partition, 10L), consumer.endOffsets(List.of(partition)), "end");
            consumer.seek(partition, 4);
            Suite.equal(4L, Suite.read(consumer, 6).get(0).offset(), "after a seek back");
            consumer.seekToEnd(List.of(partition));
            Suite.equal(10L, consumer.position(partition), "position at the end");
            try (KafkaProducer<byte[], byte[]> producer = suite.producer(Map.of())) {
                producer.send(new ProducerRecord<>(topic, 0, null, new byte[] {10}));
            }
            Suite.equal(10L, Suite.read(consumer, 1).get(0).offset(), "latest");
            checkTimes(consumer, partition, start);
            Suite.check(consumer.offsetsForTimes(Map.of(partition, System.currentTimeMillis() + 3_600_000))
                .get(partition) == null, "nothing is later than the last record");
        }
    }

    private static void checkTimes(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long start) {
        for (int number = 0; number < 10; number++) {
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, start + number * 1_000 - 500))
                .get(partition);
            Suite.check(found != null, "a record after " + number);
            Suite.equal((long) number, found.offset(), "offset for a timestamp");
            Suite.equal(start + number * 1_000, found.timestamp(), "timestamp found");
        }
    }

    static void timesCompressed(Suite suite) throws Exception {
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            String topic = suite.topic(1);
            long start = sendTimed(suite, topic, codec);
            try (KafkaConsumer<byte[], byte[]> consumer = suite.reader(topic, 1)) {
                checkTimes(consumer, new TopicPartition(topic, 0), start);
            }
        }
    }

    static void deleteRecords(Suite suite) throws Exception {
        String topic = suite.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        sendTimed(suite, topic, "none");
        Suite.equal(4L, Suite.result(suite.admin
            .deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(partition))
            .lowWatermark(), "low watermark");
        try (KafkaConsumer<byte[], byte[]> consumer = suite.reader(topic, 1)) {
            Suite.equal(Map.of(partition, 4L), consumer.beginningOffsets(List.of(partition)), "beginning");
            consumer.seek(partition, 1);
            Suite.equal(4L, Suite.read(consumer, 6).get(0).offset(), "after the reset");
        }
        try (KafkaConsumer<byte[], byte[]> consumer = suite.consumer(Map.of("auto.offset.reset", "none"))) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1);
            Suite.refused(OffsetOutOfRangeException.class, () -> Suite.read(consumer, 1));
            consumer.seek(partition, 11);
            Suite.refused(OffsetOutOfRangeException.class, () -> Suite.read(consumer, 1));
        }
        Suite.refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> Suite.result(suite.admin
            .deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(11))).all()));
        // -1 is the high watermark: nothing is left.
        Suite.result(suite.admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).all());
        Suite.equal(0, suite.readAll(topic, 1).size(), "records that are left");
    }

    static void retention(Suite suite) throws Exception {
        String topic = suite.topic(1, Map.of("retention.ms", "30000"));
        TopicPartition partition = new TopicPartition(topic, 0);
        sendTimed(suite, topic, "none");
        try (KafkaConsumer<byte[], byte[]> consumer = suite.reader(topic, 1)) {
            Suite.await("the end of old records",
                () -> consumer.beginningOffsets(List.of(partition)).get(partition) == 10);
            Producing.sendNumbered(suite, topic, 1, 1, Map.of());
            consumer.seek(partition, 3);
            Suite.equal(10L, Suite.read(consumer, 1).get(0).offset(), "after the reset");
        }
    }

    static void manyPartitions(Suite suite) throws Exception {
        String topic = suite.topic(100);
        Producing.sendNumbered(suite, topic, 100, 1_000, Map.of());
        List<ConsumerRecord<byte[], byte[]>> records = suite.readAll(topic, 100);
        Producing.checkNumbered(records, 100, 1_000);
        Set<Integer> partitions = records.stream().map(ConsumerRecord::partition).collect(Collectors.toSet());
        Suite.equal(100, partitions.size(), "partitions");
    }
}
