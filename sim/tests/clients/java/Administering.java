import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ReplicaInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Cases about topics, settings and the cluster. */
final class Administering {
    private Administering() {}

    private static TopicDescription describe(Suite suite, String topic) throws Exception {
        return Suite.result(suite.admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    static void topics(Suite suite) throws Exception {
        String topic = suite.name;
        NewTopic wanted = new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "60000"));
        Suite.result(suite.admin.createTopics(List.of(wanted), new CreateTopicsOptions().validateOnly(true)).all());
        Suite.check(!Suite.result(suite.admin.listTopics().names()).contains(topic), "validating creates nothing");
        var created = suite.admin.createTopics(List.of(wanted));
        Suite.equal(3, Suite.result(created.numPartitions(topic)), "partitions created");
        Suite.equal("60000", Suite.result(created.config(topic)).get("retention.ms").value(), "setting created");
        Suite.refused(TopicExistsException.class,
            () -> Suite.result(suite.admin.createTopics(List.of(wanted)).all()));
        Suite.refused(InvalidTopicException.class,
            () -> Suite.result(suite.admin.createTopics(List.of(new NewTopic("a/b", 1, (short) 1))).all()));
        Suite.refused(InvalidPartitionsException.class,
            () -> Suite.result(suite.admin.createTopics(List.of(new NewTopic(topic + "0", 0, (short) 1))).all()));
        Suite.refused(InvalidConfigurationException.class, () -> Suite.result(suite.admin.createTopics(
            List.of(new NewTopic(topic + "0", 1, (short) 1).configs(Map.of("retention.ms", "soon")))).all()));
        suite.settled(topic, 3);
        Suite.check(Suite.result(suite.admin.listTopics().names()).contains(topic), "it is listed");
        TopicDescription description = describe(suite, topic);
        Suite.equal(3, description.partitions().size(), "partitions");
        Suite.check(description.partitions().stream().allMatch(partition -> partition.leader() != null
            && partition.replicas().size() == 1 && partition.isr().size() == 1), "every partition has a leader");
        Suite.equal(topic, Suite.result(suite.admin.describeTopics(org.apache.kafka.common.TopicCollection
            .ofTopicIds(List.of(description.topicId()))).allTopicIds()).get(description.topicId()).name(), "by id");
        Suite.result(suite.admin.deleteTopics(List.of(topic)).all());
        Suite.await("the end of the topic", () -> !Suite.result(suite.admin.listTopics().names()).contains(topic));
        Suite.refused(UnknownTopicOrPartitionException.class, () -> describe(suite, topic));
        Suite.refused(UnknownTopicOrPartitionException.class,
            () -> Suite.result(suite.admin.deleteTopics(List.of(topic)).all()));
        // The broker's own numbers, for those who do not name any.
        Suite.result(suite.admin.createTopics(
            List.of(new NewTopic(topic, java.util.Optional.empty(), java.util.Optional.empty()))).all());
        suite.settled(topic, 4);
        Suite.result(suite.admin.deleteTopics(List.of(topic)).all());
    }

    static void partitions(Suite suite) throws Exception {
        String topic = suite.topic(3);
        Suite.result(suite.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(6))).all());
        suite.settled(topic, 6);
        for (int count : new int[] {2, 6}) {
            Suite.refused(InvalidPartitionsException.class, () -> Suite.result(
                suite.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all()));
        }
        Suite.refused(UnknownTopicOrPartitionException.class, () -> Suite.result(
            suite.admin.createPartitions(Map.of("no-such-topic", NewPartitions.increaseTo(6))).all()));
        Producing.sendNumbered(suite, topic, 6, 60, Map.of());
        Producing.checkNumbered(suite.readAll(topic, 6), 6, 60);
    }

    private static Config config(Suite suite, ConfigResource resource) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        return Suite.result(suite.admin.describeConfigs(List.of(resource), options).all()).get(resource);
    }

    static String topicSetting(Suite suite, String topic, String name) throws Exception {
        return config(suite, new ConfigResource(ConfigResource.Type.TOPIC, topic)).get(name).value();
    }

    private static void alter(Suite suite, ConfigResource resource, boolean validate, AlterConfigOp... changes)
            throws Exception {
        Map<ConfigResource, Collection<AlterConfigOp>> all = Map.of(resource, List.of(changes));
        Suite.result(suite.admin.incrementalAlterConfigs(all, new AlterConfigsOptions().validateOnly(validate)).all());
    }

    private static AlterConfigOp change(OpType type, String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    private static void shows(ConfigEntry entry, String value, ConfigSource source) {
        Suite.equal(value, entry.value(), entry.name());
        Suite.equal(source, entry.source(), "source of " + entry.name());
        Suite.check(!entry.synonyms().isEmpty(), "synonyms of " + entry.name());
        Suite.equal(value, entry.synonyms().get(0).value(), "first synonym of " + entry.name());
    }

    static void configs(Suite suite) throws Exception {
        String topic = suite.topic(1, Map.of("retention.ms", "60000"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config before = config(suite, resource);
        shows(before.get("retention.ms"), "60000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        shows(before.get("max.message.bytes"), "1048588", ConfigSource.DEFAULT_CONFIG);
        shows(before.get("cleanup.policy"), "delete", ConfigSource.DEFAULT_CONFIG);
        Suite.equal(ConfigEntry.ConfigType.LONG, before.get("retention.ms").type(), "type");
        Suite.check(before.entries().size() >= 20, "settings of a topic: " + before.entries().size());

        alter(suite, resource, false, change(OpType.SET, "max.message.bytes", "5000"),
            change(OpType.DELETE, "retention.ms", ""), change(OpType.APPEND, "cleanup.policy", "compact"));
        Suite.await("the change", () -> config(suite, resource).get("max.message.bytes").value().equals("5000"));
        Config after = config(suite, resource);
        shows(after.get("max.message.bytes"), "5000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        Suite.check(after.get("retention.ms").source() != ConfigSource.DYNAMIC_TOPIC_CONFIG, "deleted");
        shows(after.get("cleanup.policy"), "delete,compact", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        alter(suite, resource, false, change(OpType.SUBTRACT, "cleanup.policy", "compact"));
        Suite.await("the change", () -> config(suite, resource).get("cleanup.policy").value().equals("delete"));
        shows(config(suite, resource).get("cleanup.policy"), "delete", ConfigSource.DYNAMIC_TOPIC_CONFIG);

        alter(suite, resource, true, change(OpType.SET, "max.message.bytes", "6000"));
        shows(config(suite, resource).get("max.message.bytes"), "5000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        for (AlterConfigOp nonsense : List.of(change(OpType.SET, "no.such.setting", "1"),
                change(OpType.SET, "retention.ms", "soon"), change(OpType.APPEND, "retention.ms", "1"))) {
            Suite.refused(InvalidConfigurationException.class, () -> alter(suite, resource, false, nonsense));
        }
        Suite.refused(UnknownTopicOrPartitionException.class,
            () -> config(suite, new ConfigResource(ConfigResource.Type.TOPIC, "no-such-topic")));

        Node node = Suite.result(suite.admin.describeCluster().controller());
        Config broker = config(suite, new ConfigResource(ConfigResource.Type.BROKER, node.idString()));
        Suite.equal("4", broker.get("num.partitions").value(), "num.partitions");
        for (String name : List.of("auto.create.topics.enable", "log.retention.ms", "message.max.bytes",
                "offsets.retention.minutes", "group.min.session.timeout.ms", "node.id")) {
            Suite.check(broker.get(name) != null, "the broker's " + name);
        }
    }

    static void cluster(Suite suite) throws Exception {
        DescribeClusterResult cluster = suite.admin.describeCluster();
        Collection<Node> nodes = Suite.result(cluster.nodes());
        Suite.equal(1, nodes.size(), "nodes");
        Node node = nodes.iterator().next();
        Suite.equal(suite.broker, node.host() + ":" + node.port(), "its address");
        Suite.equal(node.id(), Suite.result(cluster.controller()).id(), "controller");
        Suite.check(!Suite.result(cluster.clusterId()).isEmpty(), "cluster id");
        Suite.result(suite.admin.listPartitionReassignments().reassignments());
    }

    static void logDirs(Suite suite) throws Exception {
        String topic = suite.topic(2);
        Producing.sendNumbered(suite, topic, 2, 100, Map.of());
        int node = Suite.result(suite.admin.describeCluster().controller()).id();
        Map<String, LogDirDescription> dirs = Suite.result(suite.admin.describeLogDirs(List.of(node)).allDescriptions())
            .get(node);
        for (TopicPartition partition : Suite.partitions(topic, 2)) {
            List<ReplicaInfo> replicas = dirs.values().stream().map(dir -> dir.replicaInfos().get(partition))
                .filter(java.util.Objects::nonNull).toList();
            Suite.equal(1, replicas.size(), "log dirs of " + partition);
            Suite.check(replicas.get(0).size() > 50 * 200, "size of " + partition + ": " + replicas.get(0).size());
            Suite.check(!replicas.get(0).isFuture(), "it is the log in use");
        }
    }
}
