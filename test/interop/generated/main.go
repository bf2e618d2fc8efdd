// What a user of openapi-generator's Go client writes: prints what came of it as JSON.
package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"

	client "github.com/GIT_USER_ID/GIT_REPO_ID"
)

func must[T any](value T, _ any, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	topic := os.Getenv("TOPIC")
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Getenv("URL")}}
	key := map[string]client.APIKey{"key": {Key: os.Getenv("KEY")}}
	ctx := context.WithValue(context.Background(), client.ContextAPIKeys, key)
	api := client.NewAPIClient(configuration).DefaultAPI

	value := *client.NewNullableString(client.PtrString("YQ=="))
	full := client.JsonRecord{Key: "k", Value: map[string]int{"n": 1}, Headers: []client.Header{{Key: "h", Value: value}}}
	records := client.JsonRecords{Records: []client.JsonRecord{full, {Key: "k"}}}
	published := must(api.Publish(ctx, topic).JsonRecords(records).Execute())

	file, err := os.CreateTemp("", "hook")
	if err != nil {
		panic(err)
	}
	defer os.Remove(file.Name())
	file.Write([]byte{0, 0xff, 'h', 'o', 'o', 'k'})
	file.Seek(0, 0)
	webhook := must(api.PublishWebhook(ctx, topic).Body(file).Key("k").Execute())

	_, answer, err := api.Publish(ctx, topic+"-missing").JsonRecords(records).Execute()
	failure, _ := err.(*client.GenericOpenAPIError).Model().(client.Failure)
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"offsets":    []any{published.Offsets[0].Offset.Get(), published.Offsets[1].Offset.Get()},
		"webhook":    webhook.Offsets[0].Offset.Get(),
		"refusal":    []any{answer.StatusCode, failure.Code},
		"isListed":   slices.Contains(must(api.ListTopics(ctx).Execute()), topic),
		"partitions": len(must(api.GetTopic(ctx, topic).Execute()).Partitions),
		"health":     must(api.GetReadiness(ctx).Execute()).Status,
	})
}
