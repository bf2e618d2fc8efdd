"""Publish or read records with a Kafka library for Python; one JSON line a record, bytes in base64.

client.py <library> publish <topic> <compression> [level]   records on stdin
client.py <library> read <topic> <count>                    records on stdout
"""
import asyncio
import base64
import json
import os
import ssl
import sys

MAX_BYTES = 8 * 1024 * 1024
BATCH_BYTES = 900 * 1024
library, action, topic, argument, *more = sys.argv[1:]
environment = os.environ


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


def decoded(text):
    return None if text is None else base64.b64decode(text)


def show(key, value, headers):
    pairs = [[name, encoded(data)] for name, data in headers or []]
    print(json.dumps({"key": encoded(key), "value": encoded(value), "headers": pairs}))


def given():
    for line in sys.stdin:
        record = json.loads(line)
        yield decoded(record["key"]), decoded(record["value"]), [
            (name, decoded(data)) for name, data in record["headers"]
        ]


def confluent():
    from confluent_kafka import Consumer, Producer, TopicPartition

    config = {
        "bootstrap.servers": environment["BOOTSTRAP"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": environment["SASL_USERNAME"],
        "sasl.password": environment["SASL_PASSWORD"],
        "ssl.ca.location": environment["CA"],
        "message.max.bytes": MAX_BYTES,
    }
    if action == "publish":
        level = {"compression.level": int(more[0])} if more else {}
        producer = Producer(
            {**config, **level, "compression.type": argument, "linger.ms": 50, "batch.size": BATCH_BYTES}
        )
        for key, value, headers in given():
            producer.produce(topic, key=key, value=value, headers=headers, partition=0)
        assert producer.flush(30) == 0
        return
    consumer = Consumer({**config, "group.id": "interop", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    left = int(argument)
    while left > 0:
        message = consumer.poll(30)
        assert message is not None and message.error() is None
        show(message.key(), message.value(), message.headers())
        left -= 1
    consumer.close()


def kafka_python():
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

    config = {
        "bootstrap_servers": environment["BOOTSTRAP"].split(","),
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": environment["SASL_USERNAME"],
        "sasl_plain_password": environment["SASL_PASSWORD"],
        "ssl_cafile": environment["CA"],
    }
    if action == "publish":
        compression = None if argument == "none" else argument
        producer = KafkaProducer(
            **config,
            compression_type=compression,
            linger_ms=50,
            batch_size=BATCH_BYTES,
            max_request_size=MAX_BYTES,
        )
        sent = [
            producer.send(topic, key=key, value=value, headers=headers, partition=0)
            for key, value, headers in given()
        ]
        for future in sent:
            future.get(30)
        producer.close()
        return
    consumer = KafkaConsumer(**config, auto_offset_reset="earliest", consumer_timeout_ms=30000)
    consumer.assign([TopicPartition(topic, 0)])
    left = int(argument)
    for message in consumer:
        show(message.key, message.value, message.headers)
        left -= 1
        if left == 0:
            break
    consumer.close()


async def aiokafka():
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    config = {
        "bootstrap_servers": environment["BOOTSTRAP"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": environment["SASL_USERNAME"],
        "sasl_plain_password": environment["SASL_PASSWORD"],
        "ssl_context": ssl.create_default_context(cafile=environment["CA"]),
    }
    if action == "publish":
        producer = AIOKafkaProducer(
            **config,
            compression_type=None if argument == "none" else argument,
            linger_ms=50,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_BYTES,
        )
        await producer.start()
        sent = [
            await producer.send(topic, key=key, value=value, headers=headers, partition=0)
            for key, value, headers in given()
        ]
        await asyncio.gather(*sent)
        await producer.stop()
        return
    consumer = AIOKafkaConsumer(**config)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_beginning()
    for _ in range(int(argument)):
        message = await asyncio.wait_for(consumer.getone(), 30)
        show(message.key, message.value, message.headers)
    await consumer.stop()


if library == "aiokafka":
    asyncio.run(aiokafka())
else:
    {"confluent-kafka": confluent, "kafka-python": kafka_python}[library]()
