// A server that publishes what is posted to it through franz-go, the client of Redpanda Connect: the same
// requests and answers as ours, without our checks. Batches wait for 10 ms, which is franz-go's own default.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type body struct {
	Records []struct {
		Key   json.RawMessage `json:"key"`
		Value json.RawMessage `json:"value"`
	} `json:"records"`
}

type entry struct {
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	ErrorCode *int    `json:"error_code"`
	Error     *string `json:"error"`
}

func main() {
	client := connected()
	http.HandleFunc("POST /topics/{topic}", func(response http.ResponseWriter, request *http.Request) {
		var posted body
		if err := json.NewDecoder(request.Body).Decode(&posted); err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		records := make([]*kgo.Record, len(posted.Records))
		for i, given := range posted.Records {
			records[i] = &kgo.Record{Topic: request.PathValue("topic"), Key: given.Key, Value: given.Value}
		}
		offsets := make([]entry, len(records))
		for i, result := range client.ProduceSync(request.Context(), records...) {
			if result.Err != nil {
				http.Error(response, result.Err.Error(), http.StatusServiceUnavailable)
				return
			}
			offsets[i] = entry{Partition: result.Record.Partition, Offset: result.Record.Offset}
		}
		response.Header().Set("content-type", "application/json")
		must(json.NewEncoder(response).Encode(map[string]any{"offsets": offsets}))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	must(http.Serve(listener, nil))
}

func connected() *kgo.Client {
	authority, err := os.ReadFile(os.Getenv("KAFKA_SSL_CA_LOCATION"))
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	login := scram.Auth{User: os.Getenv("KAFKA_SASL_USERNAME"), Pass: os.Getenv("KAFKA_SASL_PASSWORD")}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots}),
		kgo.SASL(login.AsSha512Mechanism()),
	)
	must(err)
	return client
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
