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

	"github.com/segmentio/kafka-go"
)

const patience = 60 * time.Second

// suite is what a case works with. Its topics are deleted when it ends. What does not hold panics.
type suite struct {
	broker, name string
	ctx          context.Context
	cancel       context.CancelFunc
	client       *kafka.Client
	transport    *kafka.Transport
	topics       []string
}

func newSuite(test string) *suite {
	if strings.HasPrefix(test, "restart-") {
		test = "restart" // what the case before the restart leaves, the one after it finds
	}
	s := &suite{broker: os.Args[1], name: "kafka-go-" + test + "-" + os.Args[4]}
	s.ctx, s.cancel = context.WithTimeout(context.Background(), patience)
	s.transport = &kafka.Transport{MetadataTTL: 500 * time.Millisecond}
	s.client = &kafka.Client{Addr: kafka.TCP(s.broker), Transport: s.transport}
	return s
}

func (s *suite) close() {
	s.client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: s.topics})
	s.transport.CloseIdleConnections()
	s.cancel()
}

func (s *suite) create(config kafka.TopicConfig) error {
	created := got(s.client.CreateTopics(s.ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}}))
	return created.Errors[config.Topic]
}

func (s *suite) topic(partitions int, config ...string) string {
	topic := fmt.Sprintf("%s-%d", s.name, len(s.topics))
	wanted := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for at := 0; at < len(config); at += 2 {
		entry := kafka.ConfigEntry{ConfigName: config[at], ConfigValue: config[at+1]}
		wanted.ConfigEntries = append(wanted.ConfigEntries, entry)
	}
	must(s.create(wanted))
	s.topics = append(s.topics, topic)
	s.settled(topic, partitions)
	return topic
}

// settled waits until every partition has a leader that answers, and this client's own picture of the cluster knows it.
func (s *suite) settled(topic string, partitions int) {
	var ends []kafka.OffsetRequest
	for partition := range partitions {
		ends = append(ends, kafka.LastOffsetOf(partition))
	}
	await(s, fmt.Sprint(partitions, " partitions of ", topic), func() bool {
		metadata := got(s.client.Metadata(s.ctx, &kafka.MetadataRequest{Topics: []string{topic}}))
		if metadata.Topics[0].Error != nil || len(metadata.Topics[0].Partitions) != partitions {
			return false
		}
		listed, err := s.client.ListOffsets(s.ctx, &kafka.ListOffsetsRequest{
			Topics: map[string][]kafka.OffsetRequest{topic: ends},
		})
		if err != nil {
			return false
		}
		for _, partition := range listed.Topics[topic] {
			if partition.Error != nil {
				return false
			}
		}
		return true
	})
}

func (s *suite) writer(topic string) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(s.broker), Topic: topic, Balancer: &numbered{}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, Transport: s.transport,
	}
}

// numbered sends a value that begins with a number to the partition of that number.
type numbered struct{}

func (*numbered) Balance(message kafka.Message, partitions ...int) int {
	if len(message.Value) < 4 {
		return partitions[0]
	}
	return partitions[number(message)%len(partitions)]
}

// send sends 0, 1, 2… as the first four bytes of the values, over the partitions in turn.
func (s *suite) send(writer *kafka.Writer, count int) {
	messages := make([]kafka.Message, count)
	for number := range messages {
		messages[number].Value = make([]byte, 200)
		binary.BigEndian.PutUint32(messages[number].Value, uint32(number))
	}
	must(writer.WriteMessages(s.ctx, messages...))
	must(writer.Close())
}

func (s *suite) reader(topic string, partition int) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{s.broker}, Topic: topic, Partition: partition, MaxWait: 100 * time.Millisecond,
		MaxBytes: 10_000_000, ReadLagInterval: -1,
	})
}

func (s *suite) read(reader *kafka.Reader, count int) []kafka.Message {
	var messages []kafka.Message
	for len(messages) < count {
		messages = append(messages, got(reader.FetchMessage(s.ctx)))
	}
	return messages
}

// readAll reads everything that a topic holds, from its start to its end.
func (s *suite) readAll(topic string, partitions int) []kafka.Message {
	var messages []kafka.Message
	for partition := range partitions {
		first, last := s.bounds(topic, partition)
		reader := s.reader(topic, partition)
		must(reader.SetOffset(first))
		messages = append(messages, s.read(reader, int(last-first))...)
		must(reader.Close())
	}
	return messages
}

func (s *suite) bounds(topic string, partition int) (first, last int64) {
	listed := s.offsets(topic, kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition))
	return listed[partition].FirstOffset, listed[partition].LastOffset
}

func (s *suite) offsets(topic string, wanted ...kafka.OffsetRequest) map[int]kafka.PartitionOffsets {
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: wanted}}
	all := map[int]kafka.PartitionOffsets{}
	for _, listed := range got(s.client.ListOffsets(s.ctx, request)).Topics[topic] {
		must(listed.Error)
		all[listed.Partition] = listed
	}
	return all
}

func number(message kafka.Message) int {
	return int(binary.BigEndian.Uint32(message.Value))
}

// checkNumbered: every number is there once, and each partition has its own in order.
func checkNumbered(messages []kafka.Message, partitions, count int) {
	equal(count, len(messages), "records")
	next := make([]int, partitions)
	for _, message := range messages {
		equal(next[message.Partition]*partitions+message.Partition, number(message), "order")
		next[message.Partition]++
	}
}

func await(s *suite, what string, done func() bool) {
	for !done() {
		check(s.ctx.Err() == nil, "waited in vain for "+what)
		time.Sleep(5 * time.Millisecond)
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

// refused: the error is exactly this one. A Writer tells one for each of its messages.
func refused(expected, actual error) {
	var each kafka.WriteErrors
	if errors.As(actual, &each) {
		actual = each[0]
	}
	if !errors.Is(actual, expected) {
		panic(fmt.Sprintf("expected %v, got %v", expected, actual))
	}
}
