import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Cases about groups, seen by an administrator. */
final class AdministeringGroups {
    private AdministeringGroups() {}

    private static ConsumerGroupDescription describe(Suite suite, String group) throws Exception {
        return Suite.result(suite.admin.describeConsumerGroups(List.of(group)).all()).get(group);
    }

    private static boolean isListed(Suite suite, String group, GroupState state) throws Exception {
        ListGroupsOptions options = new ListGroupsOptions().inGroupStates(Set.of(state));
        return Suite.result(suite.admin.listGroups(options).all()).stream().map(GroupListing::groupId)
            .anyMatch(group::equals);
    }

    static void groups(Suite suite) throws Exception {
        String topic = suite.topic(2);
        String group = suite.name;
        Producing.sendNumbered(suite, topic, 2, 10, Map.of());
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Grouping.Member member = new Grouping.Member(suite, topic, group, Map.of("client.id", "someone"))) {
            Suite.await("its records", () -> {
                member.poll();
                return member.records.size() == 10;
            });
            member.consumer.commitSync();
            ConsumerGroupDescription description = describe(suite, group);
            Suite.equal(GroupState.STABLE, description.groupState(), "state");
            Suite.equal(1, description.members().size(), "members");
            var shown = description.members().iterator().next();
            Suite.equal("someone", shown.clientId(), "client id");
            Suite.equal(Set.copyOf(Suite.partitions(topic, 2)), shown.assignment().topicPartitions(), "assignment");
            Suite.equal("range", description.partitionAssignor(), "assignor");
            Suite.check(isListed(suite, group, GroupState.STABLE), "listed as stable");
            Suite.check(!isListed(suite, group, GroupState.EMPTY), "not listed as empty");
            Suite.refused(GroupNotEmptyException.class,
                () -> Suite.result(suite.admin.deleteConsumerGroups(List.of(group)).all()));
            Suite.refused(GroupSubscribedToTopicException.class, () -> Suite.result(
                suite.admin.deleteConsumerGroupOffsets(group, Set.of(partition)).partitionResult(partition)));
            Suite.refused(UnknownMemberIdException.class, () -> Suite.result(suite.admin
                .alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(0))).all()));
        }
        Suite.equal(GroupState.EMPTY, describe(suite, group).groupState(), "state without members");
        Suite.check(isListed(suite, group, GroupState.EMPTY), "listed as empty");
        Suite.result(suite.admin.deleteConsumerGroups(List.of(group)).all());
        Suite.refused(GroupIdNotFoundException.class,
            () -> Suite.result(suite.admin.deleteConsumerGroups(List.of(group)).all()));
        Suite.refused(GroupIdNotFoundException.class, () -> describe(suite, group));
        Suite.check(!isListed(suite, group, GroupState.EMPTY), "no longer listed");
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets(Suite suite, String group) throws Exception {
        var wanted = Map.of(group, new ListConsumerGroupOffsetsSpec());
        return Suite.result(suite.admin.listConsumerGroupOffsets(wanted).partitionsToOffsetAndMetadata(group));
    }

    static void groupOffsets(Suite suite) throws Exception {
        String topic = suite.topic(2);
        String group = suite.name;
        Producing.sendNumbered(suite, topic, 2, 20, Map.of());
        TopicPartition kept = new TopicPartition(topic, 0);
        TopicPartition deleted = new TopicPartition(topic, 1);
        OffsetAndMetadata seven = new OffsetAndMetadata(7, "by hand");
        Suite.result(suite.admin.alterConsumerGroupOffsets(group,
            Map.of(kept, seven, deleted, new OffsetAndMetadata(3))).all());
        Suite.equal(Map.of(kept, seven, deleted, new OffsetAndMetadata(3)), offsets(suite, group), "offsets");
        Suite.result(suite.admin.deleteConsumerGroupOffsets(group, Set.of(deleted)).all());
        Suite.equal(Map.of(kept, seven), offsets(suite, group), "offsets that are left");
        try (KafkaConsumer<byte[], byte[]> consumer = suite.consumer(Map.of("group.id", group))) {
            consumer.subscribe(List.of(topic));
            // Three from the offset that was set, ten from the start of the partition that has none.
            var records = Suite.read(consumer, 13);
            Suite.equal(13, records.size(), "records");
            Suite.equal(3L, records.stream().filter(record -> record.partition() == 0).count(), "from the offset set");
        }
        Suite.result(suite.admin.deleteConsumerGroups(List.of(group)).all());
        Suite.equal(Map.of(), offsets(suite, group), "offsets of a deleted group");
    }
}
