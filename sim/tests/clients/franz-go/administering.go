package main

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func topics(s *suite) {
	topic, minute, soon := s.name, "60000", "soon"
	create := func(name string, value *string) error {
		created, err := s.admin.CreateTopics(s.ctx, 3, 1, map[string]*string{"retention.ms": value}, name)
		must(err)
		return created[name].Err
	}
	got(s.admin.ValidateCreateTopics(s.ctx, 3, 1, nil, topic))
	check(!got(s.admin.ListTopics(s.ctx)).Has(topic), "validating creates nothing")
	must(create(topic, &minute))
	refused(kerr.TopicAlreadyExists, create(topic, &minute))
	refused(kerr.InvalidTopicException, create("a/b", &minute))
	refused(kerr.InvalidConfig, create(topic+"0", &soon))
	s.settled(topic, 3)
	await(s, "it is listed", func() bool { return got(s.admin.ListTopics(s.ctx)).Has(topic) })
	described := got(s.admin.ListTopics(s.ctx, topic))[topic]
	must(described.Err)
	equal(3, len(described.Partitions), "partitions")
	for _, partition := range described.Partitions {
		equal(1, len(partition.ISR), "replicas in sync")
		check(partition.Leader >= 0, "a leader")
	}
	must(got(s.admin.DeleteTopics(s.ctx, topic))[topic].Err)
	await(s, "the end of the topic", func() bool {
		return errors.Is(got(s.admin.ListTopics(s.ctx, topic))[topic].Err, kerr.UnknownTopicOrPartition)
	})
	refused(kerr.UnknownTopicOrPartition, got(s.admin.DeleteTopics(s.ctx, topic))[topic].Err)
	// The broker's own number, for those who name none.
	created := got(s.admin.CreateTopics(s.ctx, -1, -1, nil, topic))[topic]
	must(created.Err)
	s.settled(topic, 4)
	must(got(s.admin.DeleteTopics(s.ctx, topic))[topic].Err)
}

func partitions(s *suite) {
	topic := s.topic(3)
	grow := func(count int) error { return got(s.admin.UpdatePartitions(s.ctx, count, topic))[topic].Err }
	must(grow(6))
	s.settled(topic, 6)
	refused(kerr.InvalidPartitions, grow(2))
	refused(kerr.InvalidPartitions, grow(6))
	s.send(topic, 6, 60)
	checkNumbered(s.readAll(topic), 6, 60)
}

func shown(configs kadm.ResourceConfigs) map[string]*kadm.Config {
	equal(1, len(configs), "resources")
	must(configs[0].Err)
	all := map[string]*kadm.Config{}
	for _, config := range configs[0].Configs {
		all[config.Key] = &config
	}
	return all
}

func configs(s *suite) {
	topic := s.topic(1, "retention.ms", "60000")
	describe := func() map[string]*kadm.Config { return shown(got(s.admin.DescribeTopicConfigs(s.ctx, topic))) }
	alter := func(changes ...kadm.AlterConfig) error {
		return got(s.admin.AlterTopicConfigs(s.ctx, changes, topic))[0].Err
	}
	set := func(name, value string) kadm.AlterConfig {
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
	}
	before := describe()
	equal("60000", before["retention.ms"].MaybeValue(), "retention.ms")
	equal(kmsg.ConfigSourceDynamicTopicConfig, before["retention.ms"].Source, "source of what was given")
	equal("1048588", before["max.message.bytes"].MaybeValue(), "max.message.bytes")
	equal(kmsg.ConfigSourceDefaultConfig, before["max.message.bytes"].Source, "source of a default")
	check(len(before["retention.ms"].Synonyms) > 0, "synonyms")
	must(alter(set("max.message.bytes", "5000"), kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "retention.ms"}))
	await(s, "the changes", func() bool {
		after := describe()
		return after["max.message.bytes"].MaybeValue() == "5000" &&
			after["retention.ms"].Source != kmsg.ConfigSourceDynamicTopicConfig
	})
	refused(kerr.InvalidConfig, alter(set("no.such.setting", "1")))
	refused(kerr.InvalidConfig, alter(set("retention.ms", "soon")))
	missing := got(s.admin.DescribeTopicConfigs(s.ctx, "no-such-topic"))
	refused(kerr.UnknownTopicOrPartition, missing[0].Err)
	controller := got(s.admin.BrokerMetadata(s.ctx)).Controller
	broker := shown(got(s.admin.DescribeBrokerConfigs(s.ctx, controller)))
	equal("4", broker["num.partitions"].MaybeValue(), "num.partitions of the broker")
	for _, name := range []string{"log.retention.ms", "message.max.bytes"} {
		_, there := broker[name]
		check(there, "the broker's "+name)
	}
}

func groups(s *suite) {
	topic, group := s.topic(2), s.name
	s.send(topic, 2, 10)
	m := s.member(topic, group)
	await(s, "its records", func() bool { return m.records() == 10 })
	must(m.client.CommitUncommittedOffsets(s.ctx))
	described := got(s.admin.DescribeGroups(s.ctx, group))[group]
	must(described.Err)
	equal("Stable", described.State, "state")
	equal(1, len(described.Members), "members")
	assigned, ok := described.Members[0].Assigned.AsConsumer()
	check(ok, "an assignment")
	equal(fmt.Sprint([]int32{0, 1}), fmt.Sprint(assigned.Topics[0].Partitions), "assignment")
	listed := func(state string) bool {
		_, there := got(s.admin.ListGroups(s.ctx, state))[group]
		return there
	}
	check(listed("Stable"), "listed as stable")
	check(!listed("Empty"), "not listed as empty")
	remove := func() error { return got(s.admin.DeleteGroups(s.ctx, group))[group].Err }
	refused(kerr.NonEmptyGroup, remove())
	m.close()
	equal("Empty", got(s.admin.DescribeGroups(s.ctx, group))[group].State, "state without members")
	check(listed("Empty"), "listed as empty")
	must(remove())
	refused(kerr.GroupIDNotFound, remove())
	check(!listed("Empty"), "no longer listed")
}

func groupOffsets(s *suite) {
	topic, group := s.topic(2), s.name
	s.send(topic, 2, 20)
	wanted := kadm.Offsets{}
	wanted.Add(kadm.Offset{Topic: topic, Partition: 0, At: 7, LeaderEpoch: -1, Metadata: "by hand"})
	wanted.Add(kadm.Offset{Topic: topic, Partition: 1, At: 3, LeaderEpoch: -1})
	must(s.admin.CommitAllOffsets(s.ctx, group, wanted))
	committed := func() kadm.OffsetResponses { return got(s.admin.FetchOffsets(s.ctx, group)) }
	equal(2, len(committed()[topic]), "offsets")
	for partition, offset := range wanted[topic] {
		got := committed()[topic][partition]
		must(got.Err)
		equal(offset.At, got.At, "offset")
		equal(offset.Metadata, got.Metadata, "its metadata")
	}
	gone := kadm.TopicsSet{}
	gone.Add(topic, 1)
	must(got(s.admin.DeleteOffsets(s.ctx, group, gone)).Error())
	equal(1, len(committed()[topic]), "offsets that are left")
	m := s.member(topic, group)
	// Three from the offset that was set, ten from the start of the partition that has none.
	await(s, "its records", func() bool { return m.records() == 13 })
	check(look(m, func() bool { return m.seen[position{0, 7}] && !m.seen[position{0, 6}] }), "from the offset set")
	m.close()
	must(got(s.admin.DeleteGroups(s.ctx, group))[group].Err)
	equal(0, len(committed()), "offsets of a deleted group")
}

func cluster(s *suite) {
	metadata := got(s.admin.BrokerMetadata(s.ctx))
	equal(1, len(metadata.Brokers), "nodes")
	equal(s.broker, fmt.Sprintf("%s:%d", metadata.Brokers[0].Host, metadata.Brokers[0].Port), "its address")
	equal(metadata.Brokers[0].NodeID, metadata.Controller, "controller")
	check(metadata.Cluster != "", "cluster id")
	client := s.client()
	defer client.Close()
	described := got(kmsg.NewPtrDescribeClusterRequest().RequestWith(s.ctx, client))
	equal(metadata.Cluster, described.ClusterID, "cluster id in DescribeCluster")
}

func logDirs(s *suite) {
	topic := s.topic(2)
	s.send(topic, 2, 100, kgo.ProducerBatchCompression(kgo.NoCompression()))
	var wanted kadm.TopicsSet
	wanted.Add(topic, 0, 1)
	found := 0
	got(s.admin.DescribeAllLogDirs(s.ctx, wanted)).Each(func(dir kadm.DescribedLogDir) {
		must(dir.Err)
		dir.Topics.Each(func(replica kadm.DescribedLogDirPartition) {
			found++
			check(replica.Size > 50*200, fmt.Sprint("size ", replica.Size))
			check(!replica.IsFuture, "it is the log in use")
		})
	})
	equal(2, found, "partitions")
}
