package main

import (
	"fmt"

	"github.com/segmentio/kafka-go"
)

func (s *suite) described(topic string) kafka.Topic {
	return got(s.client.Metadata(s.ctx, &kafka.MetadataRequest{Topics: []string{topic}})).Topics[0]
}

func (s *suite) isListed(topic string) bool {
	for _, listed := range got(s.client.Metadata(s.ctx, &kafka.MetadataRequest{})).Topics {
		if listed.Name == topic {
			return true
		}
	}
	return false
}

func topics(s *suite) {
	topic := s.name
	wanted := kafka.TopicConfig{Topic: topic, NumPartitions: 3, ReplicationFactor: 1}
	must(s.create(wanted))
	refused(kafka.TopicAlreadyExists, s.create(wanted))
	refused(kafka.InvalidTopic, s.create(kafka.TopicConfig{Topic: "a/b", NumPartitions: 1, ReplicationFactor: 1}))
	nonsense := []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "soon"}}
	refused(kafka.InvalidConfiguration, s.create(
		kafka.TopicConfig{Topic: topic + "0", NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: nonsense}))
	s.settled(topic, 3)
	await(s, "it is listed", func() bool { return s.isListed(topic) })
	equal(3, len(s.described(topic).Partitions), "partitions")
	for _, partition := range s.described(topic).Partitions {
		equal(1, len(partition.Isr), "replicas in sync")
		must(partition.Error)
	}
	remove := func() error {
		request := &kafka.DeleteTopicsRequest{Topics: []string{topic}}
		return got(s.client.DeleteTopics(s.ctx, request)).Errors[topic]
	}
	must(remove())
	refused(kafka.UnknownTopicOrPartition, remove())
	await(s, "it is no longer listed", func() bool { return !s.isListed(topic) })
}

func partitions(s *suite) {
	topic := s.topic(3)
	grow := func(count int32) error {
		request := &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: count}}}
		return got(s.client.CreatePartitions(s.ctx, request)).Errors[topic]
	}
	must(grow(6))
	refused(kafka.InvalidPartitionNumber, grow(2))
	s.settled(topic, 6)
	s.send(s.writer(topic), 60)
	checkNumbered(s.readAll(topic, 6), 6, 60)
}

func (s *suite) config(kind kafka.ResourceType, name string) map[string]kafka.DescribeConfigResponseConfigEntry {
	resource := kafka.DescribeConfigRequestResource{ResourceType: kind, ResourceName: name}
	request := &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{resource},
	}
	described := got(s.client.DescribeConfigs(s.ctx, request))
	must(described.Resources[0].Error)
	all := map[string]kafka.DescribeConfigResponseConfigEntry{}
	for _, entry := range described.Resources[0].ConfigEntries {
		all[entry.ConfigName] = entry
	}
	return all
}

// Where a setting comes from, in Kafka's numbers.
const (
	fromTopic   = 1
	fromDefault = 5
)

func configs(s *suite) {
	topic := s.topic(1, "retention.ms", "60000")
	alter := func(name, value string, operation kafka.ConfigOperation) error {
		resource := kafka.IncrementalAlterConfigsRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: operation}},
		}
		altered := got(s.client.IncrementalAlterConfigs(s.ctx, &kafka.IncrementalAlterConfigsRequest{
			Resources: []kafka.IncrementalAlterConfigsRequestResource{resource},
		}))
		return altered.Resources[0].Error
	}
	before := s.config(kafka.ResourceTypeTopic, topic)
	equal("60000", before["retention.ms"].ConfigValue, "retention.ms")
	equal(int8(fromTopic), before["retention.ms"].ConfigSource, "source of what was given")
	equal("1048588", before["max.message.bytes"].ConfigValue, "max.message.bytes")
	equal(int8(fromDefault), before["max.message.bytes"].ConfigSource, "source of a default")
	must(alter("max.message.bytes", "5000", kafka.ConfigOperationSet))
	must(alter("retention.ms", "", kafka.ConfigOperationDelete))
	await(s, "the changes", func() bool {
		after := s.config(kafka.ResourceTypeTopic, topic)
		return after["max.message.bytes"].ConfigValue == "5000" && after["retention.ms"].ConfigSource != fromTopic
	})
	refused(kafka.InvalidConfiguration, alter("no.such.setting", "1", kafka.ConfigOperationSet))
	refused(kafka.InvalidConfiguration, alter("retention.ms", "soon", kafka.ConfigOperationSet))
	metadata := got(s.client.Metadata(s.ctx, &kafka.MetadataRequest{}))
	broker := s.config(kafka.ResourceTypeBroker, fmt.Sprint(metadata.Controller.ID))
	equal("4", broker["num.partitions"].ConfigValue, "num.partitions of the broker")
}

func (s *suite) isListedGroup(group string) bool {
	listed := got(s.client.ListGroups(s.ctx, &kafka.ListGroupsRequest{}))
	must(listed.Error)
	for _, one := range listed.Groups {
		if one.GroupID == group {
			return true
		}
	}
	return false
}

func (s *suite) deleteGroup(group string) error {
	request := &kafka.DeleteGroupsRequest{GroupIDs: []string{group}}
	return got(s.client.DeleteGroups(s.ctx, request)).Errors[group]
}

func groups(s *suite) {
	topic, group := s.topic(2), s.name
	s.send(s.writer(topic), 10)
	m := s.member(topic, group)
	await(s, "its records", func() bool { return m.records() == 10 })
	described := s.describe(group)
	equal("Stable", described.GroupState, "state")
	equal(1, len(described.Members), "members")
	equal([]int{2}, s.shares(group, topic), "assignment")
	check(s.isListedGroup(group), "it is listed")
	refused(kafka.NonEmptyGroup, s.deleteGroup(group))
	m.close()
	equal("Empty", s.describe(group).GroupState, "state without members")
	must(s.deleteGroup(group))
	refused(kafka.GroupIdNotFound, s.deleteGroup(group))
	check(!s.isListedGroup(group), "no longer listed")
}

func (s *suite) committed(group, topic string) map[int]int64 {
	fetched := got(s.client.OffsetFetch(s.ctx, &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: {0, 1}},
	}))
	must(fetched.Error)
	all := map[int]int64{}
	for _, partition := range fetched.Topics[topic] {
		must(partition.Error)
		all[partition.Partition] = partition.CommittedOffset
	}
	return all
}

func groupOffsets(s *suite) {
	topic, group := s.topic(2), s.name
	s.send(s.writer(topic), 20)
	set := got(s.client.OffsetCommit(s.ctx, &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1,
		Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 0, Offset: 7}, {Partition: 1, Offset: 3}}},
	}))
	for _, partition := range set.Topics[topic] {
		must(partition.Error)
	}
	equal(map[int]int64{0: 7, 1: 3}, s.committed(group, topic), "offsets")
	removed := got(s.client.OffsetDelete(s.ctx, &kafka.OffsetDeleteRequest{
		GroupID: group, Topics: map[string][]int{topic: {1}},
	}))
	must(removed.Error)
	must(removed.Topics[topic][0].Error)
	equal(map[int]int64{0: 7, 1: -1}, s.committed(group, topic), "offsets that are left")
	reader := s.groupReader(topic, group)
	// Three from the offset that was set, ten from the start of the partition that has none.
	for _, message := range s.read(reader, 13) {
		check(message.Partition == 1 || message.Offset >= 7, "from the offset set")
	}
	must(reader.Close())
	must(s.deleteGroup(group))
	equal(map[int]int64{0: -1, 1: -1}, s.committed(group, topic), "offsets of a deleted group")
}

func cluster(s *suite) {
	metadata := got(s.client.Metadata(s.ctx, &kafka.MetadataRequest{}))
	equal(1, len(metadata.Brokers), "nodes")
	node := metadata.Brokers[0]
	equal(s.broker, fmt.Sprintf("%s:%d", node.Host, node.Port), "its address")
	equal(node.ID, metadata.Controller.ID, "controller")
	check(metadata.ClusterID != "", "cluster id")
	versions := got(s.client.ApiVersions(s.ctx, &kafka.ApiVersionsRequest{}))
	check(len(versions.ApiKeys) > 20, "APIs")
}
