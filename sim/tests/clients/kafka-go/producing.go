package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"strings"

	"github.com/segmentio/kafka-go"
)

func produce(s *suite) {
	topic := s.topic(1)
	large := make([]byte, 1_000_000)
	rand.New(rand.NewSource(1)).Read(large)
	headers := []kafka.Header{
		{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "empty", Value: []byte{}},
	}
	sent := []kafka.Message{
		{Key: []byte("key"), Value: []byte("value"), Headers: headers},
		{Value: []byte("no key")},
		{Key: []byte("tombstone")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("large"), Value: large},
	}
	writer := s.writer(topic)
	writer.BatchBytes = 2_000_000
	writer.Balancer = &kafka.RoundRobin{}
	for _, message := range sent {
		must(writer.WriteMessages(s.ctx, message))
	}
	must(writer.Close())
	read := s.readAll(topic, 1)
	equal(len(sent), len(read), "records")
	for at, message := range read {
		equal(int64(at), message.Offset, "offset")
		// Its Reader shows what is empty as nil, so these two are one here.
		check(bytes.Equal(sent[at].Key, message.Key), fmt.Sprint("key of record ", at))
		check(bytes.Equal(sent[at].Value, message.Value), fmt.Sprint("value of record ", at))
		equal(len(sent[at].Headers), len(message.Headers), "headers")
		for header, got := range message.Headers {
			wanted := sent[at].Headers[header]
			check(wanted.Key == got.Key && bytes.Equal(wanted.Value, got.Value), "header "+wanted.Key)
		}
	}
	small := s.topic(3)
	writer = s.writer(small)
	writer.BatchSize = 5
	s.send(writer, 5_000)
	checkNumbered(s.readAll(small, 3), 3, 5_000)
}

func codecs(s *suite) {
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		topic := s.topic(1)
		writer := s.writer(topic)
		writer.Compression, writer.BatchSize = codec, 300
		s.send(writer, 300)
		checkNumbered(s.readAll(topic, 1), 1, 300)
		reader := s.reader(topic, 0)
		must(reader.SetOffset(137))
		rest := s.read(reader, 300-137)
		must(reader.Close())
		equal(int64(137), rest[0].Offset, codec.String()+": first offset from within a batch")
		equal(137, number(rest[0]), codec.String()+": first record")
	}
}

func acks(s *suite) {
	for _, wanted := range []kafka.RequiredAcks{kafka.RequireNone, kafka.RequireOne, kafka.RequireAll} {
		topic := s.topic(1)
		writer := s.writer(topic)
		writer.RequiredAcks = wanted
		s.send(writer, 50)
		reader := s.reader(topic, 0)
		must(reader.SetOffset(kafka.FirstOffset))
		checkNumbered(s.read(reader, 50), 1, 50)
		must(reader.Close())
	}
}

func tooLarge(s *suite) {
	topic := s.topic(1, "max.message.bytes", "10000")
	writer := s.writer(topic)
	writer.Balancer = &kafka.RoundRobin{}
	refused(kafka.MessageSizeTooLarge, writer.WriteMessages(s.ctx, kafka.Message{Value: make([]byte, 20_000)}))
	must(writer.WriteMessages(s.ctx, kafka.Message{Value: make([]byte, 5_000)}))
	must(writer.Close())
	equal(1, len(s.readAll(topic, 1)), "records")
}

func unknownTopic(s *suite) {
	writer := s.writer("no-such-topic")
	writer.MaxAttempts = 2
	refused(kafka.UnknownTopicOrPartition, writer.WriteMessages(s.ctx, kafka.Message{Value: []byte("x")}))
	must(writer.Close())
	metadata := got(s.client.Metadata(s.ctx, &kafka.MetadataRequest{}))
	for _, topic := range metadata.Topics {
		check(topic.Name != "no-such-topic", "nothing was created")
	}
	topic := s.topic(1)
	response := got(s.client.Produce(s.ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: 0, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
	}))
	must(response.Error)
	_, err := s.client.Produce(s.ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: 7, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
	})
	check(err != nil && strings.Contains(err.Error(), "topic partition not found"), fmt.Sprint("partition 7: ", err))
}
