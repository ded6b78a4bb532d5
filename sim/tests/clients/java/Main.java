import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Kafka's own Java client, case by case: {@code Main BROKER PROXY CUTS RUN CASE…}. */
public final class Main {
    private interface Body {
        void run(Suite suite) throws Exception;
    }

    private static final Map<String, Body> CASES = new LinkedHashMap<>();

    static {
        CASES.put("produce", Producing::produce);
        CASES.put("codecs", Producing::codecs);
        CASES.put("acks", Producing::acks);
        CASES.put("idempotent", Producing::idempotent);
        CASES.put("cut", Producing::cut);
        CASES.put("too-large", Producing::tooLarge);
        CASES.put("unknown-topic", Producing::unknownTopic);
        CASES.put("positions", Reading::positions);
        CASES.put("times-compressed", Reading::timesCompressed);
        CASES.put("delete-records", Reading::deleteRecords);
        CASES.put("retention", Reading::retention);
        CASES.put("many-partitions", Reading::manyPartitions);
        CASES.put("resume", Grouping::resume);
        CASES.put("rebalance", Grouping::rebalance);
        CASES.put("restart-before", Grouping::restartBefore);
        CASES.put("restart-after", Grouping::restartAfter);
        CASES.put("static-member", Grouping::staticMember);
        CASES.put("topics", Administering::topics);
        CASES.put("partitions", Administering::partitions);
        CASES.put("configs", Administering::configs);
        CASES.put("groups", AdministeringGroups::groups);
        CASES.put("group-offsets", AdministeringGroups::groupOffsets);
        CASES.put("cluster", Administering::cluster);
        CASES.put("log-dirs", Administering::logDirs);
    }

    private Main() {}

    public static void main(String[] arguments) {
        List<String> cases = List.of(arguments).subList(4, arguments.length);
        for (String name : cases) {
            long started = System.nanoTime();
            try (Suite suite = new Suite(arguments, name)) {
                CASES.get(name).run(suite);
                System.out.printf("ok %s %.1f s%n", name, (System.nanoTime() - started) / 1e9);
            } catch (Throwable error) {
                error.printStackTrace();
                System.out.printf("fail %s %s%n", name, String.valueOf(error).replaceAll("\\s+", " "));
            }
        }
    }
}
