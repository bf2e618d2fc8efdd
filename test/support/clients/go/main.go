// Publishes or reads records with franz-go or sarama; one JSON line a record, bytes in base64.
//
//	interop <library> publish <topic> <compression> [level]   records on stdin
//	interop <library> read <topic> <count>                    records on stdout
package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	maxBytes     = 8 << 20
	batchBytes   = 900 << 10
	defaultLevel = -1
)

type record struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	// Pairs of a name, as text, and a value, in base64.
	Headers [][]*string `json:"headers"`
}

type library struct {
	publish func(ctx context.Context, topic, compression string, level int)
	read    func(ctx context.Context, topic string, count int)
}

func main() {
	libraries := map[string]library{
		"franz-go": {franzPublish, franzRead},
		"sarama":   {saramaPublish, saramaRead},
	}
	chosen, action, topic, argument := libraries[os.Args[1]], os.Args[2], os.Args[3], os.Args[4]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if action == "publish" {
		level := defaultLevel
		if len(os.Args) > 5 {
			level = number(os.Args[5])
		}
		chosen.publish(ctx, topic, argument, level)
	} else {
		chosen.read(ctx, topic, number(argument))
	}
}

func givenRecords() []record {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	var records []record
	for lines.Scan() {
		var given record
		check(json.Unmarshal(lines.Bytes(), &given))
		records = append(records, given)
	}
	check(lines.Err())
	return records
}

func show(got record) {
	check(json.NewEncoder(os.Stdout).Encode(got))
}

func credentials() (user, password string) {
	return environment("SASL_USERNAME"), environment("SASL_PASSWORD")
}

func roots() *x509.CertPool {
	pem, err := os.ReadFile(environment("CA"))
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

func environment(name string) string {
	return os.Getenv(name)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
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
