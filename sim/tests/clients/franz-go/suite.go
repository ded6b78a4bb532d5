package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 60 * time.Second

// suite is what a case works with. Its topics are deleted when it ends. What does not hold panics.
type suite struct {
	broker, proxy, cuts, name string
	ctx                       context.Context
	cancel                    context.CancelFunc
	admin                     *kadm.Client
	topics                    []string
}

func newSuite(test string) *suite {
	s := &suite{broker: os.Args[1], proxy: os.Args[2], cuts: os.Args[3]}
	if strings.HasPrefix(test, "restart-") {
		test = "restart" // what the case before the restart leaves, the one after it finds
	}
	s.name = "franz-go-" + test + "-" + os.Args[4]
	s.ctx, s.cancel = context.WithTimeout(context.Background(), patience)
	// Its picture of the topics must not be older than what a case has just done.
	s.admin = kadm.NewClient(s.client(kgo.MetadataMinAge(10 * time.Millisecond)))
	return s
}

func (s *suite) close() {
	s.admin.DeleteTopics(context.Background(), s.topics...)
	s.admin.Close()
	s.cancel()
}

func (s *suite) client(options ...kgo.Opt) *kgo.Client {
	return got(kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.broker)}, options...)...))
}

func (s *suite) topic(partitions int32, config ...string) string {
	topic := fmt.Sprintf("%s-%d", s.name, len(s.topics))
	given := map[string]*string{}
	for at := 0; at < len(config); at += 2 {
		given[config[at]] = &config[at+1]
	}
	created := got(s.admin.CreateTopic(s.ctx, partitions, 1, given, topic))
	must(created.Err)
	s.topics = append(s.topics, topic)
	s.settled(topic, int(partitions))
	return topic
}

// settled waits until every partition has a leader that answers: Kafka creates topics before it serves them.
func (s *suite) settled(topic string, partitions int) {
	await(s, fmt.Sprint(partitions, " partitions of ", topic), func() bool {
		offsets, err := s.admin.ListEndOffsets(s.ctx, topic)
		return err == nil && offsets.Error() == nil && len(offsets[topic]) == partitions
	})
}

// send sends 0, 1, 2… as the first four bytes of the values, over the partitions in turn.
func (s *suite) send(topic string, partitions int32, count int, options ...kgo.Opt) {
	client := s.client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
	defer client.Close()
	failures := make(chan error, count)
	for number := range count {
		value := make([]byte, 200)
		binary.BigEndian.PutUint32(value, uint32(number))
		record := &kgo.Record{Topic: topic, Partition: int32(number) % partitions, Value: value}
		client.Produce(s.ctx, record, func(_ *kgo.Record, err error) { failures <- err })
	}
	for range count {
		must(<-failures)
	}
}

func (s *suite) reader(topic string, offsets map[int32]int64, options ...kgo.Opt) *kgo.Client {
	at := map[int32]kgo.Offset{}
	for partition, offset := range offsets {
		at[partition] = kgo.NewOffset().At(offset)
	}
	return s.client(append([]kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at})}, options...)...)
}

// readAll reads everything that a topic holds, from its start to its end.
func (s *suite) readAll(topic string) []*kgo.Record {
	starts := got(s.admin.ListStartOffsets(s.ctx, topic))
	ends := got(s.admin.ListEndOffsets(s.ctx, topic))
	offsets, count := map[int32]int64{}, 0
	for partition, end := range ends[topic] {
		must(end.Err)
		offsets[partition] = starts[topic][partition].Offset
		count += int(end.Offset - offsets[partition])
	}
	client := s.reader(topic, offsets)
	defer client.Close()
	return s.read(client, count)
}

func (s *suite) read(client *kgo.Client, count int) []*kgo.Record {
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollFetches(s.ctx)
		for _, failure := range fetches.Errors() {
			must(failure.Err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func (s *suite) cutsOf(client string) int {
	count := 0
	for line := range strings.Lines(string(got(os.ReadFile(s.cuts)))) {
		if strings.TrimSpace(line) == client {
			count++
		}
	}
	return count
}

func number(record *kgo.Record) int {
	return int(binary.BigEndian.Uint32(record.Value))
}

// checkNumbered: every number is there once, and each partition has its own in order.
func checkNumbered(records []*kgo.Record, partitions, count int) {
	equal(count, len(records), "records")
	next := make([]int, partitions)
	for _, record := range records {
		equal(next[record.Partition]*partitions+int(record.Partition), number(record), "order")
		next[record.Partition]++
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(holds bool, what string) {
	if !holds {
		panic(what)
	}
}

func equal(expected, actual any, what string) {
	if !reflect.DeepEqual(expected, actual) {
		panic(fmt.Sprintf("%s: expected %v, got %v", what, expected, actual))
	}
}

// refused: the error is exactly this one.
func refused(expected, actual error) {
	if !errors.Is(actual, expected) {
		panic(fmt.Sprintf("expected %v, got %v", expected, actual))
	}
}
