"""A member of a group of the new protocol, over confluent-kafka: says so once it has partitions, commits
nothing, and leaves when its input ends.

member.py <bootstrap servers> <group> <topic>
"""
import sys
import threading

from confluent_kafka import Consumer

servers, group, topic = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": servers,
        "group.id": group,
        "group.protocol": "consumer",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe([topic], on_assign=lambda *_: print("assigned", flush=True))
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    consumer.poll(0.1)
consumer.close()
