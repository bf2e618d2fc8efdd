// Publishes or reads records with franz-go; one JSON line a record, bytes in base64.
//
//	interop publish <topic> <compression>   records on stdin
//	interop read <topic> <count>            records on stdout
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type record struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	// Pairs of a name, as text, and a value, in base64.
	Headers [][]*string `json:"headers"`
}

func main() {
	action, topic, argument := os.Args[1], os.Args[2], os.Args[3]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if action == "publish" {
		publish(ctx, topic, argument)
	} else {
		read(ctx, topic, argument)
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	pem, err := os.ReadFile(os.Getenv("CA"))
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	login := scram.Auth{User: os.Getenv("SASL_USERNAME"), Pass: os.Getenv("SASL_PASSWORD")}
	made, err := kgo.NewClient(append(options,
		kgo.SeedBrokers(strings.Split(os.Getenv("BOOTSTRAP"), ",")...),
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots}),
		kgo.SASL(login.AsSha512Mechanism()),
	)...)
	check(err)
	return made
}

func publish(ctx context.Context, topic, compression string) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	made := client(
		kgo.ProducerBatchCompression(codecs[compression]),
		kgo.ProducerLinger(50*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	defer made.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	var records []*kgo.Record
	for lines.Scan() {
		var given record
		check(json.Unmarshal(lines.Bytes(), &given))
		sent := &kgo.Record{Topic: topic, Partition: 0, Key: given.Key, Value: given.Value}
		for _, header := range given.Headers {
			sent.Headers = append(sent.Headers, kgo.RecordHeader{Key: *header[0], Value: decoded(header[1])})
		}
		records = append(records, sent)
	}
	check(made.ProduceSync(ctx, records...).FirstErr())
}

func read(ctx context.Context, topic, argument string) {
	left, err := strconv.Atoi(argument)
	check(err)
	start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	made := client(kgo.ConsumePartitions(start))
	defer made.Close()
	out := json.NewEncoder(os.Stdout)
	for left > 0 {
		fetches := made.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(got *kgo.Record) {
			shown := record{Key: got.Key, Value: got.Value, Headers: [][]*string{}}
			for _, header := range got.Headers {
				name := header.Key
				shown.Headers = append(shown.Headers, []*string{&name, encoded(header.Value)})
			}
			check(out.Encode(shown))
			left--
		})
	}
}

func decoded(text *string) []byte {
	if text == nil {
		return nil
	}
	var bytes []byte
	check(json.Unmarshal([]byte(strconv.Quote(*text)), &bytes))
	if bytes == nil {
		bytes = []byte{}
	}
	return bytes
}

func encoded(bytes []byte) *string {
	if bytes == nil {
		return nil
	}
	text, err := json.Marshal(bytes)
	check(err)
	trimmed := strings.Trim(string(text), `"`)
	return &trimmed
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
