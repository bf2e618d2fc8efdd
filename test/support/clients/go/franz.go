package main

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func franzClient(options ...kgo.Opt) *kgo.Client {
	user, password := credentials()
	login := scram.Auth{User: user, Pass: password}
	made, err := kgo.NewClient(append(options,
		kgo.SeedBrokers(servers()...),
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots()}),
		kgo.SASL(login.AsSha512Mechanism()),
	)...)
	check(err)
	return made
}

func franzPublish(ctx context.Context, topic, compression string, level int) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec := codecs[compression]
	if level != defaultLevel {
		codec = codec.WithLevel(level)
	}
	made := franzClient(
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerLinger(50*time.Millisecond),
		kgo.ProducerBatchMaxBytes(maxBytes),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	defer made.Close()
	var records []*kgo.Record
	for _, given := range givenRecords() {
		sent := &kgo.Record{Topic: topic, Partition: 0, Key: given.Key, Value: given.Value}
		for _, header := range given.Headers {
			sent.Headers = append(sent.Headers, kgo.RecordHeader{Key: *header[0], Value: decoded(header[1])})
		}
		records = append(records, sent)
	}
	check(made.ProduceSync(ctx, records...).FirstErr())
}

func franzRead(ctx context.Context, topic string, left int) {
	start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	made := franzClient(kgo.ConsumePartitions(start))
	defer made.Close()
	for left > 0 {
		fetches := made.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(got *kgo.Record) {
			shown := record{Key: got.Key, Value: got.Value, Headers: [][]*string{}}
			for _, header := range got.Headers {
				name := header.Key
				shown.Headers = append(shown.Headers, []*string{&name, encoded(header.Value)})
			}
			show(shown)
			left--
		})
	}
}
