package main

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type position struct {
	partition int32
	offset    int64
}

// member is a member of a group that reads for itself, and what has happened to it.
type member struct {
	client      *kgo.Client
	mutex       sync.Mutex
	seen        map[position]bool
	assigned    map[int32]bool
	assignments int
	failure     error
	done        chan struct{}
}

func (s *suite) member(topic, group string, options ...kgo.Opt) *member {
	m := &member{seen: map[position]bool{}, assigned: map[int32]bool{}, done: make(chan struct{})}
	update := func(gains bool, grows bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			for _, partition := range changed[topic] {
				if gains {
					m.assigned[partition] = true
				} else {
					delete(m.assigned, partition)
				}
			}
			if grows {
				m.assignments++
			}
		}
	}
	m.client = s.client(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.SessionTimeout(20 * time.Second),
		kgo.HeartbeatInterval(500 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(update(true, true)), kgo.OnPartitionsRevoked(update(false, false)),
		kgo.OnPartitionsLost(update(false, false)),
	}, options...)...)
	go func() {
		defer close(m.done)
		for {
			fetches := m.client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			m.mutex.Lock()
			for _, failure := range fetches.Errors() {
				m.failure = failure.Err
			}
			fetches.EachRecord(func(record *kgo.Record) { m.seen[position{record.Partition, record.Offset}] = true })
			m.mutex.Unlock()
		}
	}()
	return m
}

func (m *member) close() {
	m.client.Close()
	<-m.done
}

// look reads the member's state while it stands still.
func look[T any](m *member, read func() T) T {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return read()
}

func (m *member) partitions() int { return look(m, func() int { return len(m.assigned) }) }
func (m *member) records() int    { return look(m, func() int { return len(m.seen) }) }
func (m *member) error() error    { return look(m, func() error { return m.failure }) }

func union(members ...*member) int {
	all := map[position]bool{}
	for _, m := range members {
		look(m, func() bool {
			for at := range m.seen {
				all[at] = true
			}
			return true
		})
	}
	return len(all)
}

func await(s *suite, what string, done func() bool) {
	for !done() {
		check(s.ctx.Err() == nil, "waited in vain for "+what)
		time.Sleep(5 * time.Millisecond)
	}
}

// session is what a member of the group gets that ends after count records.
func (s *suite) session(topic string, count int, commits bool) map[position]bool {
	client := s.client(kgo.ConsumerGroup(s.name), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollRecords(s.ctx, count-len(records))
		for _, failure := range fetches.Errors() {
			must(failure.Err)
		}
		records = append(records, fetches.Records()...)
	}
	if commits {
		must(client.CommitRecords(s.ctx, records...))
	}
	seen := map[position]bool{}
	for _, record := range records {
		seen[position{record.Partition, record.Offset}] = true
	}
	return seen
}

func restartBefore(s *suite) {
	topic := s.topic(3, "retention.ms", "86400000")
	s.send(topic, 3, 300)
	s.session(topic, 100, true)
	s.topics = nil // left to the case after the restart
}

func restartAfter(s *suite) {
	topic := s.name + "-0"
	s.topics = append(s.topics, topic)
	checkNumbered(s.readAll(topic), 3, 300)
	equal(200, len(s.session(topic, 200, true)), "the rest of the group's records")
	setting := shown(got(s.admin.DescribeTopicConfigs(s.ctx, topic)))["retention.ms"]
	equal("86400000", setting.MaybeValue(), "retention.ms")
	s.send(topic, 3, 30)
	equal(330, len(s.readAll(topic)), "records")
}

func resume(s *suite) {
	topic := s.topic(3)
	s.send(topic, 3, 300)
	first := s.session(topic, 100, true)
	second := s.session(topic, 200, false)
	third := s.session(topic, 200, true)
	equal(second, third, "what was not committed is read again")
	for at := range second {
		check(!first[at], "what was committed is not")
	}
	equal(300, len(first)+len(second), "together all")
}

func rebalance(s *suite) {
	for name, balancer := range map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	} {
		topic, group := s.topic(4), s.name+name
		first := s.member(topic, group, kgo.Balancers(balancer))
		s.send(topic, 4, 200)
		await(s, "all partitions at the first member", func() bool {
			return first.partitions() == 4 && first.records() >= 100
		})
		second := s.member(topic, group, kgo.Balancers(balancer))
		await(s, "half of the partitions each", func() bool {
			return first.partitions() == 2 && second.partitions() == 2
		})
		s.send(topic, 4, 200)
		await(s, "what the second half of the partitions got", func() bool { return second.records() >= 100 })
		second.close()
		s.send(topic, 4, 200)
		await(s, "every record", func() bool { return first.partitions() == 4 && union(first, second) == 600 })
		first.close()
	}
}

func staticMember(s *suite) {
	topic := s.topic(4)
	stays := s.member(topic, s.name, kgo.InstanceID("stays"))
	defer stays.close()
	restarts := s.member(topic, s.name, kgo.InstanceID("restarts"))
	await(s, "half of the partitions each", func() bool {
		return stays.partitions() == 2 && restarts.partitions() == 2
	})
	before := look(restarts, func() map[int32]bool {
		all := map[int32]bool{}
		for partition := range restarts.assigned {
			all[partition] = true
		}
		return all
	})
	assignments := look(stays, func() int { return stays.assignments })
	restarts.close()
	again := s.member(topic, s.name, kgo.InstanceID("restarts"))
	await(s, "the partitions again", func() bool { return again.partitions() == 2 })
	equal(before, look(again, func() map[int32]bool { return again.assigned }), "its own partitions")
	equal(assignments, look(stays, func() int { return stays.assignments }), "assignments of the other member")

	double := s.member(topic, s.name, kgo.InstanceID("restarts"))
	defer double.close()
	await(s, "the partitions at the double", func() bool { return double.partitions() == 2 })
	await(s, "the fence", func() bool { return again.error() != nil })
	refused(kerr.FencedInstanceID, again.error())
	again.close()
}
