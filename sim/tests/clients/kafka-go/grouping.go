package main

import (
	"context"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

type position struct {
	partition int
	offset    int64
}

func (s *suite) groupReader(topic, group string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{s.broker}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
		MaxWait: 100 * time.Millisecond, HeartbeatInterval: 200 * time.Millisecond,
		SessionTimeout: 20 * time.Second, RebalanceTimeout: 20 * time.Second,
	})
}

// session is what a member of the group gets that ends after count messages.
func (s *suite) session(topic string, count int, commits bool) map[position]bool {
	reader := s.groupReader(topic, s.name)
	seen := map[position]bool{}
	messages := s.read(reader, count)
	for _, message := range messages {
		seen[position{message.Partition, message.Offset}] = true
	}
	if commits {
		must(reader.CommitMessages(s.ctx, messages...))
	}
	must(reader.Close())
	return seen
}

func restartBefore(s *suite) {
	topic := s.topic(3, "retention.ms", "86400000")
	s.send(s.writer(topic), 300)
	s.session(topic, 100, true)
	s.topics = nil // left to the case after the restart
}

func restartAfter(s *suite) {
	topic := s.name + "-0"
	s.topics = append(s.topics, topic)
	checkNumbered(s.readAll(topic, 3), 3, 300)
	equal(200, len(s.session(topic, 200, true)), "the rest of the group's messages")
	setting := s.config(kafka.ResourceTypeTopic, topic)["retention.ms"]
	equal("86400000", setting.ConfigValue, "retention.ms")
	s.send(s.writer(topic), 30)
	equal(330, len(s.readAll(topic, 3)), "messages")
}

func resume(s *suite) {
	topic := s.topic(3)
	s.send(s.writer(topic), 300)
	first := s.session(topic, 100, true)
	second := s.session(topic, 200, false)
	third := s.session(topic, 200, true)
	equal(second, third, "what was not committed is read again")
	for at := range second {
		check(!first[at], "what was committed is not")
	}
	equal(300, len(first)+len(second), "together all")
}

// member reads and commits for itself; what it holds is asked of the broker.
type member struct {
	reader *kafka.Reader
	mutex  sync.Mutex
	seen   map[position]bool
	done   chan struct{}
	cancel context.CancelFunc
}

func (s *suite) member(topic, group string) *member {
	ctx, cancel := context.WithCancel(s.ctx)
	m := &member{reader: s.groupReader(topic, group), seen: map[position]bool{}, done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(m.done)
		for {
			message, err := m.reader.FetchMessage(ctx)
			if err != nil {
				return
			}
			m.mutex.Lock()
			m.seen[position{message.Partition, message.Offset}] = true
			m.mutex.Unlock()
			// A commit that a rebalance overtakes is no error: the record is read again.
			_ = m.reader.CommitMessages(ctx, message)
		}
	}()
	return m
}

func (m *member) close() {
	m.cancel()
	<-m.done
	must(m.reader.Close())
}

func (m *member) records() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.seen)
}

// shares is the number of partitions of each member, when the group is stable.
func (s *suite) shares(group, topic string) []int {
	described := s.describe(group)
	if described.GroupState != "Stable" {
		return nil
	}
	var shares []int
	for _, member := range described.Members {
		for _, assigned := range member.MemberAssignments.Topics {
			if assigned.Topic == topic {
				shares = append(shares, len(assigned.Partitions))
			}
		}
	}
	return shares
}

func (s *suite) describe(group string) kafka.DescribeGroupsResponseGroup {
	described := got(s.client.DescribeGroups(s.ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}}))
	must(described.Groups[0].Error)
	return described.Groups[0]
}

func rebalance(s *suite) {
	topic, group := s.topic(4), s.name
	isShared := func(wanted ...int) func() bool {
		return func() bool {
			shares := s.shares(group, topic)
			if len(shares) != len(wanted) {
				return false
			}
			for at := range wanted {
				if shares[at] != wanted[at] {
					return false
				}
			}
			return true
		}
	}
	s.send(s.writer(topic), 200)
	first := s.member(topic, group)
	await(s, "all partitions at the first member", isShared(4))
	await(s, "its first records", func() bool { return first.records() >= 100 })
	second := s.member(topic, group)
	await(s, "half of the partitions each", isShared(2, 2))
	s.send(s.writer(topic), 200)
	await(s, "what the second half of the partitions got", func() bool { return second.records() >= 100 })
	second.close()
	s.send(s.writer(topic), 200)
	await(s, "all partitions again", isShared(4))
	await(s, "every record", func() bool {
		all := map[position]bool{}
		for _, m := range []*member{first, second} {
			m.mutex.Lock()
			for at := range m.seen {
				all[at] = true
			}
			m.mutex.Unlock()
		}
		return len(all) == 600
	})
	first.close()
}
