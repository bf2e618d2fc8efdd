"""Publishes one record of so many zero bytes to each partition, compressed, with librdkafka.

bomb.py <bootstrap servers> <topic> <partitions> <codec> <bytes>
"""
import sys

from confluent_kafka import Producer

servers, topic, partitions, codec, size = sys.argv[1:]
failures = []
producer = Producer(
    {
        "bootstrap.servers": servers,
        "compression.type": codec,
        "message.max.bytes": 1_000_000_000,
        "queue.buffering.max.kbytes": 2_000_000,
    }
)
for partition in range(int(partitions)):
    producer.produce(topic, value=bytes(int(size)), partition=partition, on_delivery=lambda e, _: failures.append(e))
    producer.flush(60)
assert failures == [None] * int(partitions), failures
