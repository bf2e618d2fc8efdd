"""What a user of openapi-generator's Python client writes: prints what came of it as JSON."""
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
import openapi_client as client

configuration = client.Configuration(host=os.environ["URL"], api_key={"key": os.environ["KEY"]})
topic = os.environ["TOPIC"]
with client.ApiClient(configuration) as connection:
    api = client.DefaultApi(connection)
    records = [
        client.JsonRecord(key="k", value={"n": 1}, headers=[client.Header(key="h", value="YQ==")]),
        client.JsonRecord(key="k", value=None),
    ]
    published = api.publish(topic, client.JsonRecords(records=records))
    webhook = api.publish_webhook(topic, b"\x00\xffhook", key="k")
    try:
        api.publish(topic + "-missing", client.JsonRecords(records=records))
        refusal = None
    except client.ApiException as error:
        refusal = [error.status, error.data.code if error.data else json.loads(error.body)["code"]]
    print(json.dumps({
        "offsets": [entry.offset for entry in published.offsets],
        "webhook": webhook.offsets[0].offset,
        "refusal": refusal,
        "isListed": topic in api.list_topics(),
        "partitions": len(api.get_topic(topic).partitions),
        "health": api.get_readiness().status,
    }))
