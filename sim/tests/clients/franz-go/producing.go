package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func produce(s *suite) {
	topic := s.topic(1)
	large := make([]byte, 1_000_000)
	rand.New(rand.NewSource(1)).Read(large)
	headers := []kgo.RecordHeader{
		{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")},
		{Key: "empty", Value: []byte{}}, {Key: "null"},
	}
	sent := []kgo.Record{
		{Key: []byte("key"), Value: []byte("value"), Headers: headers},
		{Value: []byte("no key")},
		{Key: []byte("tombstone")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("large"), Value: large},
	}
	client := s.client(kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(1<<20))
	defer client.Close()
	for at := range sent {
		record := sent[at]
		must(client.ProduceSync(s.ctx, &record).FirstErr())
		equal(int64(at), record.Offset, "offset of an acknowledged record")
	}
	read := s.readAll(topic)
	equal(len(sent), len(read), "records")
	for at, record := range read {
		same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
		check(same(sent[at].Key, record.Key), fmt.Sprint("key of record ", at))
		check(same(sent[at].Value, record.Value), fmt.Sprint("value of record ", at))
		equal(len(sent[at].Headers), len(record.Headers), "headers")
		for header, got := range record.Headers {
			wanted := sent[at].Headers[header]
			check(wanted.Key == got.Key && same(wanted.Value, got.Value), "header "+wanted.Key)
		}
	}
}

func codecs(s *suite) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		topic := s.topic(1)
		s.send(topic, 1, 300, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(100*time.Millisecond))
		checkNumbered(s.readAll(topic), 1, 300)
		client := s.reader(topic, map[int32]int64{0: 137})
		rest := s.read(client, 300-137)
		client.Close()
		equal(int64(137), rest[0].Offset, name+": first offset from within a batch")
		equal(137, number(rest[0]), name+": first record")
	}
}

func acks(s *suite) {
	for _, wanted := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		topic := s.topic(1)
		s.send(topic, 1, 50, kgo.RequiredAcks(wanted), kgo.DisableIdempotentWrite())
		client := s.reader(topic, map[int32]int64{0: 0})
		checkNumbered(s.read(client, 50), 1, 50)
		client.Close()
	}
}

func idempotent(s *suite) {
	topic := s.topic(3)
	s.send(topic, 3, 5_000, kgo.ProducerBatchMaxBytes(1_000), kgo.ProducerLinger(0))
	checkNumbered(s.readAll(topic), 3, 5_000)
}

func cut(s *suite) {
	const records = 80
	settings := func(clientID string) []kgo.Opt {
		return []kgo.Opt{
			kgo.SeedBrokers(s.proxy), kgo.ClientID(clientID), kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(512), kgo.MetadataMinAge(10 * time.Millisecond),
			kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
		}
	}
	safe := "cut-" + s.name
	topic := s.topic(1)
	s.send(topic, 1, records, settings(safe)...)
	check(s.cutsOf(safe) >= 5, "the proxy did not cut")
	checkNumbered(s.readAll(topic), 1, records)

	// The counter-check: the same cuts double records of a producer that is not idempotent.
	unsafe := "cut-unsafe-" + s.name
	topic = s.topic(1)
	s.send(topic, 1, records, append(settings(unsafe), kgo.DisableIdempotentWrite())...)
	check(s.cutsOf(unsafe) >= 5, "the proxy did not cut")
	check(len(s.readAll(topic)) > records, "cuts double records that are not idempotent")
}

func tooLarge(s *suite) {
	topic := s.topic(1, "max.message.bytes", "10000")
	client := s.client(kgo.DefaultProduceTopic(topic))
	defer client.Close()
	value := make([]byte, 20_000)
	for at := 0; at+4 <= len(value); at += 4 {
		binary.BigEndian.PutUint32(value[at:], rand.Uint32())
	}
	refused(kerr.MessageTooLarge, client.ProduceSync(s.ctx, &kgo.Record{Value: value}).FirstErr())
	must(client.ProduceSync(s.ctx, &kgo.Record{Value: value[:5_000]}).FirstErr())
	equal(1, len(s.readAll(topic)), "records")
}

func unknownTopic(s *suite) {
	client := s.client(kgo.UnknownTopicRetries(1))
	defer client.Close()
	refused(kerr.UnknownTopicOrPartition,
		client.ProduceSync(s.ctx, &kgo.Record{Topic: "no-such-topic", Value: []byte("x")}).FirstErr())
	check(!got(s.admin.ListTopics(s.ctx)).Has("no-such-topic"), "nothing was created")
	topic := s.topic(1)
	described := got(s.admin.ListTopics(s.ctx, topic))[topic]
	equal(1, len(described.Partitions), "partitions")
	reader := s.reader(topic, map[int32]int64{7: 0}, kgo.UnknownTopicRetries(-1))
	defer reader.Close()
	offsets := got(s.admin.ListEndOffsets(s.ctx, topic))
	_, there := offsets.Lookup(topic, 7)
	check(!there, "no partition 7")
}
