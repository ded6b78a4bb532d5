package main

import (
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sendTimed sends ten records, a second apart; together in one batch that is worth compressing.
func sendTimed(s *suite, topic string, codec kgo.CompressionCodec, together bool) time.Time {
	start := time.UnixMilli(time.Now().UnixMilli() - 60_000)
	options := []kgo.Opt{kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec)}
	if together {
		options = append(options, kgo.ProducerLinger(time.Second))
	}
	client := s.client(options...)
	defer client.Close()
	var records []*kgo.Record
	for number := range 10 {
		at := start.Add(time.Duration(number) * time.Second)
		records = append(records, &kgo.Record{Timestamp: at, Value: make([]byte, 200)})
	}
	if together {
		must(client.ProduceSync(s.ctx, records...).FirstErr())
	} else {
		for _, record := range records {
			must(client.ProduceSync(s.ctx, record).FirstErr())
		}
	}
	return start
}

func checkTimes(s *suite, topic string, start time.Time) {
	for number := range int64(10) {
		at := start.UnixMilli() + number*1000
		listed := got(s.admin.ListOffsetsAfterMilli(s.ctx, at-500, topic))[topic][0]
		must(listed.Err)
		equal(number, listed.Offset, "offset for a timestamp")
		equal(at, listed.Timestamp, "timestamp found")
	}
}

func positions(s *suite) {
	topic := s.topic(1)
	start := sendTimed(s, topic, kgo.NoCompression(), false)
	equal(int64(0), got(s.admin.ListStartOffsets(s.ctx, topic))[topic][0].Offset, "beginning")
	equal(int64(10), got(s.admin.ListEndOffsets(s.ctx, topic))[topic][0].Offset, "end")
	equal(int64(9), got(s.admin.ListMaxTimestampOffsets(s.ctx, topic))[topic][0].Offset, "the latest timestamp")
	checkTimes(s, topic, start)
	for _, from := range []struct {
		offset kgo.Offset
		first  int64
	}{
		{kgo.NewOffset().AtStart(), 0}, {kgo.NewOffset().At(4), 4}, {kgo.NewOffset().AtEnd().Relative(-3), 7},
		{kgo.NewOffset().AfterMilli(start.UnixMilli() + 4_500), 5},
	} {
		client := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: from.offset}}))
		equal(from.first, s.read(client, int(10-from.first))[0].Offset, from.offset.String())
		client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: 2}}})
		equal(int64(2), s.read(client, 8)[0].Offset, "after a seek back")
		client.Close()
	}
	latest := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtEnd()}}))
	defer latest.Close()
	done := make(chan []*kgo.Record)
	go func() { done <- s.read(latest, 1) }()
	for {
		s.send(topic, 1, 1)
		select {
		case records := <-done:
			check(records[0].Offset >= 10, "latest")
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func timesCompressed(s *suite) {
	for _, codec := range []kgo.CompressionCodec{
		kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		topic := s.topic(1)
		checkTimes(s, topic, sendTimed(s, topic, codec, true))
	}
}

func deleteRecords(s *suite) {
	topic := s.topic(1)
	sendTimed(s, topic, kgo.NoCompression(), false)
	deleteBefore := func(offset int64) kadm.DeleteRecordsResponse {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, 0, offset, -1)
		return got(s.admin.DeleteRecords(s.ctx, offsets))[topic][0]
	}
	deleted := deleteBefore(4)
	must(deleted.Err)
	equal(int64(4), deleted.LowWatermark, "low watermark")
	equal(int64(4), got(s.admin.ListStartOffsets(s.ctx, topic))[topic][0].Offset, "beginning")
	client := s.reader(topic, map[int32]int64{0: 1}, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	equal(int64(4), s.read(client, 6)[0].Offset, "after the reset")
	client.Close()
	for _, outside := range []int64{1, 11} {
		client := s.reader(topic, map[int32]int64{0: outside}, kgo.ConsumeResetOffset(kgo.NoResetOffset()))
		fetches := client.PollFetches(s.ctx)
		equal(1, len(fetches.Errors()), "errors")
		refused(kerr.OffsetOutOfRange, fetches.Errors()[0].Err)
		client.Close()
	}
	refused(kerr.OffsetOutOfRange, deleteBefore(11).Err)
	// -1 is the high watermark: nothing is left.
	must(deleteBefore(-1).Err)
	equal(0, len(s.readAll(topic)), "records that are left")
}

func retention(s *suite) {
	topic := s.topic(1, "retention.ms", "30000")
	sendTimed(s, topic, kgo.NoCompression(), false)
	await(s, "the end of old records", func() bool {
		return got(s.admin.ListStartOffsets(s.ctx, topic))[topic][0].Offset == 10
	})
	s.send(topic, 1, 1)
	client := s.reader(topic, map[int32]int64{0: 3}, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	equal(int64(10), s.read(client, 1)[0].Offset, "after the reset")
}

func manyPartitions(s *suite) {
	topic := s.topic(100)
	s.send(topic, 100, 1_000)
	checkNumbered(s.readAll(topic), 100, 1_000)
}
