import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Decoder } from '../../src/kafka/wire/decoder.ts';
import { array, call, compactArray, compactBytes, int8, int16, int32, string } from './wire.ts';

/** Codes of Kafka's protocol: resource types, operations, pattern types. */
const RESOURCE = { topic: 2, group: 3, cluster: 4, transactionalId: 5 } as const;
const OPERATION = { all: 2, read: 3, write: 4, describe: 8, idempotentWrite: 12 } as const;
const PATTERN = { literal: 3, prefixed: 4 } as const;
const ANY = 1;
const ALLOW = 3;

const SCRAM = [
  { name: 'SCRAM-SHA-256', mechanism: 1, digest: 'sha256', length: 32 },
  { name: 'SCRAM-SHA-512', mechanism: 2, digest: 'sha512', length: 64 },
] as const;
const SCRAM_ITERATIONS = 4096;

export interface KafkaUser {
  username: string;
  password: string;
}

export interface TopicMetadata {
  name: string;
  partitions: { partition: number; leader: number; replicas: number[]; isr: number[] }[];
}

/** One broker's view: the brokers that are registered and not fenced, and the topics asked for. */
export interface Metadata {
  nodeIds: number[];
  /** With ZooKeeper, the one broker that creates topics; else any. */
  controllerId: number;
  topics: TopicMetadata[];
}

export interface AccessRule {
  principal: string;
  resource: keyof typeof RESOURCE;
  name: string;
  pattern: keyof typeof PATTERN;
  operation: keyof typeof OPERATION;
}

/** Rejects if the broker doesn't accept connections. A missing topic has no partitions. */
export async function metadata(port: number, topics: readonly string[] = []): Promise<Metadata> {
  const answer = await call(port, { apiKey: 3, apiVersion: 1, body: array(topics.map(string)) });
  const nodeIds = answer.readArray(() => {
    const nodeId = answer.readInt32();
    answer.readString();
    answer.readInt32();
    answer.readString();
    return nodeId;
  });
  const controllerId = answer.readInt32();
  return { nodeIds, controllerId, topics: answer.readArray(() => topicMetadata(answer)) };
}

function topicMetadata(answer: Decoder): TopicMetadata {
  answer.readInt16();
  const name = answer.readString() ?? '';
  answer.readInt8();
  const partitions = answer.readArray(() => {
    answer.readInt16();
    return {
      partition: answer.readInt32(),
      leader: answer.readInt32(),
      replicas: answer.readArray(() => answer.readInt32()),
      isr: answer.readArray(() => answer.readInt32()),
    };
  });
  return { name, partitions };
}

/** Rejects with the broker's reason, for example when the topic exists. */
export async function createTopic(
  port: number,
  topic: { name: string; partitions: number; replicationFactor: number; config: Record<string, string> },
): Promise<void> {
  const config = Object.entries(topic.config).map(([key, value]) =>
    Buffer.concat([string(key), string(value)]),
  );
  const entry = Buffer.concat([
    string(topic.name),
    int32(topic.partitions),
    int16(topic.replicationFactor),
    array([]),
    array(config),
  ]);
  const body = Buffer.concat([array([entry]), int32(5_000), int8(0)]);
  const answer = await call(port, { apiKey: 19, apiVersion: 2, body });
  answer.readInt32();
  answer.readArray(() => {
    const name = answer.readString();
    rejectError(`Creating topic ${name}`, answer.readInt16(), answer.readString());
  });
}

/** Whether this broker acts as the leader of these partitions; it does so a moment after metadata names it. */
export async function leadersAnswer(
  port: number,
  topic: string,
  partitions: readonly number[],
): Promise<boolean> {
  if (partitions.length === 0) return true;
  const latest = Buffer.alloc(8, 0xff);
  const wanted = partitions.map((partition) => Buffer.concat([int32(partition), latest]));
  const body = Buffer.concat([int32(-1), array([Buffer.concat([string(topic), array(wanted)])])]);
  const answer = await call(port, { apiKey: 2, apiVersion: 1, body });
  const errors = answer.readArray(() => {
    answer.readString();
    return answer.readArray(() => {
      answer.readInt32();
      const error = answer.readInt16();
      answer.readInt64();
      answer.readInt64();
      return error;
    });
  });
  return errors.flat().every((error) => error === 0);
}

/** Whether there is a coordinator. Asking for it creates its internal topic. */
export async function hasCoordinator(port: number, kind: 'group' | 'transaction'): Promise<boolean> {
  const body = Buffer.concat([string('embedded-kafka'), int8(kind === 'group' ? 0 : 1)]);
  const answer = await call(port, { apiKey: 10, apiVersion: 1, body });
  answer.readInt32();
  return answer.readInt16() === 0;
}

export async function createAcls(port: number, rules: readonly AccessRule[]): Promise<void> {
  const entries = rules.map((rule) =>
    Buffer.concat([
      int8(RESOURCE[rule.resource]),
      string(rule.name),
      int8(PATTERN[rule.pattern]),
      string(rule.principal),
      string('*'),
      int8(OPERATION[rule.operation]),
      int8(ALLOW),
    ]),
  );
  const answer = await call(port, { apiKey: 30, apiVersion: 1, body: array(entries) });
  answer.readInt32();
  answer.readArray(() => rejectError('Creating an ACL', answer.readInt16(), answer.readString()));
}

/** The number of resource patterns that this broker holds ACLs for. */
export async function aclResources(port: number): Promise<number> {
  const anything = [int8(ANY), string(null), int8(ANY), string(null), string(null), int8(ANY), int8(ANY)];
  const answer = await call(port, { apiKey: 29, apiVersion: 1, body: Buffer.concat(anything) });
  answer.readInt32();
  rejectError('Describing ACLs', answer.readInt16(), answer.readString());
  return answer.readInt32();
}

/** For SCRAM-SHA-256 and SCRAM-SHA-512. Only salted passwords are sent, and none is a command's argument. */
export async function upsertScramCredentials(port: number, users: readonly KafkaUser[]): Promise<void> {
  // A request for each mechanism: Kafka refuses a request that has a user twice.
  for (const { mechanism, digest, length } of SCRAM) {
    const upsertions = users.map(({ username, password }) => {
      const salt = randomBytes(16);
      return Buffer.concat([
        compactBytes(Buffer.from(username)),
        int8(mechanism),
        int32(SCRAM_ITERATIONS),
        compactBytes(salt),
        compactBytes(pbkdf2Sync(password, salt, SCRAM_ITERATIONS, length, digest)),
        int8(0),
      ]);
    });
    const body = Buffer.concat([compactArray([]), compactArray(upsertions), int8(0)]);
    const answer = await call(port, { apiKey: 51, apiVersion: 0, body, flexible: true });
    answer.readInt32();
    answer.readUVarIntArray(() => {
      const user = answer.readUVarIntString();
      rejectError(`Setting the SCRAM credentials of ${user}`, answer.readInt16(), answer.readUVarIntString());
      answer.readTaggedFields();
    });
  }
}

/** The form in which a broker stores a password, for each mechanism (RFC 5802, section 3). */
export function scramCredentials({ password }: KafkaUser) {
  return SCRAM.map(({ name, digest, length }) => {
    const salt = randomBytes(16);
    const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, length, digest);
    const hmac = (label: string): Buffer => createHmac(digest, salted).update(label).digest();
    const storedKey = createHash(digest).update(hmac('Client Key')).digest();
    return { name, iterations: SCRAM_ITERATIONS, salt, storedKey, serverKey: hmac('Server Key') };
  });
}

function rejectError(action: string, code: number, message: string | null): void {
  if (code !== 0)
    throw new Error(`${action} failed with Kafka's error ${code}${message ? `: ${message}` : ''}`);
}
