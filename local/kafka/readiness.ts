import { setTimeout as wait } from 'node:timers/promises';
import { leadersAnswer, metadata } from './admin.ts';
import { type KafkaNode, port } from './node.ts';
import { INTERNAL } from './server-properties.ts';

const READY_WITHIN_MS = 90_000;
const POLL_MS = 50;

/** A Java process ended before it was ready; the message ends with its log. */
export class BootError extends Error {
  override name = 'BootError';
  readonly portTaken: boolean;

  constructor(message: string, portTaken: boolean) {
    super(message);
    this.portTaken = portTaken;
  }
}

/** Waits until every running broker lists every running broker, or the broker `only`. */
export function everyBrokerSees(
  brokers: readonly KafkaNode[],
  nodes: readonly KafkaNode[],
  only?: KafkaNode,
): Promise<void> {
  const running = brokers.filter((broker) => broker.running);
  const expected = only ? [only] : running;
  return until(only ? [only] : nodes, 'every broker to be registered', async () => {
    const seen = await Promise.all(running.map(({ ports }) => metadata(port(ports, INTERNAL))));
    return seen.every(({ nodeIds }) => expected.every(({ nodeId }) => nodeIds.includes(nodeId)));
  });
}

/** Waits until every running broker names a leader for each partition, and each leader acts as one. */
export async function leadersOf(brokers: readonly KafkaNode[], topic: string): Promise<void> {
  const running = brokers.filter((broker) => broker.running);
  await until([], `the leaders of topic ${topic}`, async () => {
    const led = await Promise.all(
      running.map(async ({ nodeId, ports }) => {
        const { topics } = await metadata(port(ports, INTERNAL), [topic]);
        const partitions = topics[0]?.partitions ?? [];
        if (partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) return false;
        const own = partitions.filter(({ leader }) => leader === nodeId).map(({ partition }) => partition);
        return leadersAnswer(port(ports, INTERNAL), topic, own);
      }),
    );
    return led.every(Boolean);
  });
}

/** Polls `condition`; if it rejects, it isn't met yet. Rejects as soon as one of `nodes` is gone. */
export async function until(
  nodes: readonly KafkaNode[],
  what: string,
  condition: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    let cause: unknown;
    try {
      if (await condition()) return;
    } catch (error) {
      cause = error;
    }
    const dead = nodes.find((node) => !node.running);
    if (dead) throw await bootError(dead);
    if (performance.now() > deadline) {
      throw new Error(`Waited ${READY_WITHIN_MS / 1000} s for ${what}`, { cause });
    }
    await wait(POLL_MS);
  }
}

async function bootError(node: KafkaNode): Promise<BootError> {
  const lines = await node.lastLogLines();
  return new BootError(
    `Kafka ${node.label} ended while starting. Its log ends:\n${lines}`,
    /in use/i.test(lines),
  );
}
