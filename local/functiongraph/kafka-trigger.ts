/** A Kafka trigger: consumes a topic and calls a function with the platform's KAFKA event. */
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import '../kafkajs-timers.ts';
import type { InvocationResult, Runtime } from './runtime.ts';

export interface KafkaTriggerOptions {
  runtime: Runtime;
  kafka: Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl'>;
  topics: readonly string[];
  /** Default `functiongraph-trigger`. */
  groupId?: string;
  /** Records a call at most, 1 to 1,000; default 100. */
  batchSize?: number;
  onResult?: (result: InvocationResult) => void;
}

export interface KafkaTrigger {
  /** Waits for a running call and leaves the group. */
  stop(): Promise<void>;
}

/** The platform's limit for one event is 6 MB. */
const MAX_EVENT_BYTES = 5_000_000;

/**
 * Resolves once the trigger is a member of its group. It is not documented whether the platform delivers
 * records again after a failed call. This trigger doesn't, so that nobody relies on it.
 */
export async function startKafkaTrigger(options: KafkaTriggerOptions): Promise<KafkaTrigger> {
  const { runtime, kafka, topics, groupId = 'functiongraph-trigger', batchSize = 100, onResult } = options;
  const client = new Kafka({
    ...kafka,
    clientId: groupId,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
  });
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 500, retry: { retries: 20 } });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  const joined = new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  });
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning }) => {
      let at = 0;
      while (at < batch.messages.length && isRunning()) {
        const chunk = eventful(batch.messages.slice(at, at + batchSize));
        const texts = chunk.map(({ value }) => value?.toString() ?? null);
        const result = await runtime.invoke(kafkaEvent(batch.topic, texts));
        onResult?.(result);
        at += chunk.length;
        const last = chunk.at(-1);
        if (last) resolveOffset(last.offset);
        await heartbeat();
      }
    },
  });
  await joined;
  return { stop: () => consumer.disconnect() };
}

/** As many records as fit into an event, but at least one. */
function eventful<T extends { value: Buffer | null }>(messages: T[]): T[] {
  let bytes = 0;
  const end = messages.findIndex(({ value }, index) => {
    bytes += value?.length ?? 0;
    return index > 0 && bytes > MAX_EVENT_BYTES;
  });
  return end < 0 ? messages : messages.slice(0, end);
}

/** Only the values, as text; null for a tombstone. */
function kafkaEvent(topic: string, messages: (string | null)[]) {
  return {
    event_version: 'v1.0',
    event_time: Math.floor(Date.now() / 1_000),
    trigger_type: 'KAFKA',
    region: 'local',
    instance_id: '00000000-0000-0000-0000-000000000000',
    records: [{ messages, topic_id: topic }],
  };
}
