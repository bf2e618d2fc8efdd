import { type Caller, mayPublish } from '../../src/access/caller.ts';
import { Failure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import type { MetadataPartition } from '../../src/kafka/wire/metadata.ts';
import type { ProduceConfig } from './config.ts';
import { allowedTopic, type Target } from './formats/rest-proxy.ts';

/** A probe that waits longer tells nothing more. */
const READY_WITHIN_MS = 2_000;

/** A question about the cluster. The answers have the shapes of the REST Proxy v2. */
export interface Question {
  connection: Connection;
  config: ProduceConfig;
  caller: Caller | undefined;
  target: Target;
  deadline: number;
}

/** The names of the topics that the caller may publish to, in order. */
export async function listTopics({ connection, config, caller, deadline }: Question) {
  const topics = await connection.topicNames(deadline);
  return topics.filter((topic) => config.isTopicAllowed(topic) && caller && mayPublish(caller, topic));
}

/** One topic as it is now. `configs` stays empty, because reading them needs a permission of its own. */
export async function describeTopic(question: Question) {
  const { name, partitions } = await topicOf(question);
  return { name, configs: {}, partitions: partitions.map(describe) };
}

export async function listPartitions(question: Question) {
  return (await topicOf(question)).partitions.map(describe);
}

/** One partition; throws UNKNOWN_PARTITION. */
export async function describePartition(question: Question) {
  const { name, partitions } = await topicOf(question);
  const partition = partitions.find((candidate) => candidate.partition === question.target.partition);
  if (partition) return describe(partition);
  throw new Failure('UNKNOWN_PARTITION', `topic ${name} has partitions 0 to ${partitions.length - 1}`);
}

export async function listBrokers({ connection, deadline }: Question) {
  return { brokers: await connection.brokerIds(deadline) };
}

/** Ready means that a broker has just responded. Throws BROKER_UNREACHABLE … otherwise. */
export async function ready({ connection, deadline }: Question) {
  await connection.brokerIds(Math.min(deadline, Date.now() + READY_WITHIN_MS));
  return { status: 'ready' };
}

function topicOf({ connection, config, target, deadline }: Question) {
  return connection.topic(allowedTopic(target.topic, config), deadline, { maxAgeMs: 0 });
}

function describe({ partition, leader, replicas, isr }: MetadataPartition) {
  return {
    partition,
    leader,
    replicas: replicas.map((broker) => ({
      broker,
      leader: broker === leader,
      in_sync: isr.includes(broker),
    })),
  };
}
