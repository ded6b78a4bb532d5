package main

import (
	"time"

	"github.com/segmentio/kafka-go"
)

// sendTimed sends ten records, a second apart; in one batch where they are compressed.
func sendTimed(s *suite, topic string, codec kafka.Compression) time.Time {
	start := time.UnixMilli(time.Now().UnixMilli() - 60_000)
	writer := s.writer(topic)
	writer.Compression, writer.Balancer = codec, &kafka.RoundRobin{}
	if codec == 0 {
		writer.BatchSize = 1
	}
	var messages []kafka.Message
	for number := range 10 {
		at := start.Add(time.Duration(number) * time.Second)
		messages = append(messages, kafka.Message{Time: at, Value: []byte{byte(number)}})
	}
	must(writer.WriteMessages(s.ctx, messages...))
	must(writer.Close())
	return start
}

func checkTimes(s *suite, topic string, start time.Time) {
	for number := range int64(10) {
		at := start.Add(time.Duration(number) * time.Second)
		listed := s.offsets(topic, kafka.TimeOffsetOf(0, at.Add(-500*time.Millisecond)))[0]
		equal(1, len(listed.Offsets), "offsets for a timestamp")
		// The times are those that were asked for: it does not show those that were found.
		for offset := range listed.Offsets {
			equal(number, offset, "offset for a timestamp")
		}
	}
}

func positions(s *suite) {
	topic := s.topic(1)
	start := sendTimed(s, topic, 0)
	first, last := s.bounds(topic, 0)
	equal([]int64{0, 10}, []int64{first, last}, "bounds")
	checkTimes(s, topic, start)
	reader := s.reader(topic, 0)
	equal(int64(0), s.read(reader, 10)[0].Offset, "earliest")
	must(reader.SetOffset(4))
	equal(int64(4), s.read(reader, 6)[0].Offset, "after a seek back")
	must(reader.SetOffsetAt(s.ctx, start.Add(6_500*time.Millisecond)))
	equal(int64(7), s.read(reader, 3)[0].Offset, "from a timestamp")
	must(reader.Close())

	latest := s.reader(topic, 0)
	must(latest.SetOffset(kafka.LastOffset))
	done := make(chan []kafka.Message)
	go func() { done <- s.read(latest, 1) }()
	for {
		s.send(s.writer(topic), 1)
		select {
		case messages := <-done:
			check(messages[0].Offset >= 10, "latest")
			must(latest.Close())
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func timesCompressed(s *suite) {
	for _, codec := range []kafka.Compression{kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		topic := s.topic(1)
		checkTimes(s, topic, sendTimed(s, topic, codec))
	}
}

func retention(s *suite) {
	topic := s.topic(1, "retention.ms", "30000")
	sendTimed(s, topic, 0)
	await(s, "the end of old records", func() bool {
		first, _ := s.bounds(topic, 0)
		return first == 10
	})
	s.send(s.writer(topic), 1)
	reader := s.reader(topic, 0)
	must(reader.SetOffset(3))
	equal(int64(10), s.read(reader, 1)[0].Offset, "after the reset")
	must(reader.Close())
}

func manyPartitions(s *suite) {
	topic := s.topic(100)
	s.send(s.writer(topic), 1_000)
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{s.broker}, GroupID: s.name, Topic: topic, StartOffset: kafka.FirstOffset,
		MaxWait: 100 * time.Millisecond,
	})
	checkNumbered(s.read(reader, 1_000), 100, 1_000)
	must(reader.Close())
}
