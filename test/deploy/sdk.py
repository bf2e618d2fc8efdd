"""Huawei Cloud's own SDK as a client: each line of stdin is a call, each line of stdout its answer."""
import json
import os
import sys

import huaweicloudsdkfunctiongraph.v2 as functiongraph
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException

client = (
    functiongraph.FunctionGraphClient.new_builder()
    .with_credentials(
        BasicCredentials(os.environ["AK"], os.environ["SK"], os.environ["PROJECT"])
    )
    .with_endpoint(os.environ["ENDPOINT"])
    .build()
)


def class_of(method):
    return "".join(word.capitalize() for word in method.split("_"))


for line in sys.stdin:
    call = json.loads(line)
    method = call["method"]
    request = getattr(functiongraph, class_of(method) + "Request")(**call["request"])
    if "body" in call:
        body = getattr(functiongraph, request.openapi_types["body"])
        # Refuses what the SDK doesn't know.
        request.body = body(**call["body"])
    try:
        answer = getattr(client, method)(request)
        result = {"status": answer.status_code, "body": json.loads(answer.raw_content or "null")}
    except ServiceResponseException as error:
        result = {"status": error.status_code, "code": error.error_code}
    print(json.dumps(result), flush=True)
