package main

import (
	"context"
	"crypto/tls"
	"strings"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// sarama leaves the SCRAM conversation to its user.
type conversation struct{ *scram.ClientConversation }

func (c *conversation) Begin(user, password, authorization string) error {
	client, err := scram.SHA512.NewClient(user, password, authorization)
	if err != nil {
		return err
	}
	c.ClientConversation = client.NewConversation()
	return nil
}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_6_0_0
	config.Net.TLS.Enable = true
	config.Net.TLS.Config = &tls.Config{RootCAs: roots()}
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
	config.Net.SASL.User, config.Net.SASL.Password = credentials()
	config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &conversation{} }
	return config
}

func saramaPublish(_ context.Context, topic, compression string, level int) {
	codecs := map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}
	config := saramaConfig()
	config.Producer.Compression = codecs[compression]
	if level != defaultLevel {
		config.Producer.CompressionLevel = level
	}
	config.Producer.MaxMessageBytes = maxBytes
	config.Producer.Flush.Bytes = batchBytes
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewSyncProducer(servers(), config)
	check(err)
	var messages []*sarama.ProducerMessage
	for _, given := range givenRecords() {
		message := &sarama.ProducerMessage{Topic: topic, Partition: 0}
		if given.Key != nil {
			message.Key = sarama.ByteEncoder(given.Key)
		}
		if given.Value != nil {
			message.Value = sarama.ByteEncoder(given.Value)
		}
		for _, header := range given.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(*header[0]), Value: decoded(header[1])})
		}
		messages = append(messages, message)
	}
	check(producer.SendMessages(messages))
	check(producer.Close())
}

func saramaRead(_ context.Context, topic string, count int) {
	consumer, err := sarama.NewConsumer(servers(), saramaConfig())
	check(err)
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	check(err)
	for ; count > 0; count-- {
		got := <-partition.Messages()
		shown := record{Key: got.Key, Value: got.Value, Headers: [][]*string{}}
		for _, header := range got.Headers {
			name := string(header.Key)
			shown.Headers = append(shown.Headers, []*string{&name, encoded(header.Value)})
		}
		show(shown)
	}
}

func servers() []string {
	return strings.Split(environment("BOOTSTRAP"), ",")
}
