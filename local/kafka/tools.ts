import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { existingArchive } from './class-archive.ts';
import type { KafkaCluster, KafkaUser, Listener } from './cluster.ts';
import { kafkaDistribution } from './distribution.ts';

// No record in a test contains these.
const FIELD = '\u001ffield\u001f';
const HEADER = '\u001fheader\u001f';
const LINE = '\u001eline\u001e';
const NULL = '\u001fnull\u001f';

export interface ToolResult {
  stdout: Buffer;
  stderr: string;
  /** The exit code; null when a signal ended the tool. */
  code: number | null;
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export interface ToolClient {
  /** Default PLAINTEXT, whose anonymous principal may do everything. */
  listener?: Listener;
  /** With a SASL listener; default `app`. */
  user?: KafkaUser;
  /** Default SCRAM-SHA-512. */
  mechanism?: SaslMechanism;
}

export interface ConsoleConsumerOptions extends ToolClient {
  topic: string;
  /** It ends after so many records, or if none came for `timeoutMs`. */
  maxMessages?: number;
  /** Default 5,000. */
  timeoutMs?: number;
  /** One partition only. */
  partition?: number;
  /** Where to start in that partition; default 0. */
  offset?: number;
  /** Default `read_uncommitted`. */
  isolationLevel?: 'read_committed' | 'read_uncommitted';
}

export interface ConsoleRecord {
  partition: number;
  offset: number;
  /** Epoch milliseconds. */
  timestamp: number;
  headers: { key: string; value: Buffer | null }[];
  key: Buffer | null;
  value: Buffer | null;
}

/**
 * Runs one of Kafka's own command line tools, such as `org.apache.kafka.tools.TopicCommand` or
 * `kafka.admin.ConfigCommand`, and resolves with its output, whatever its exit code. Takes about 2 s.
 */
export async function runKafkaTool(mainClass: string, args: readonly string[]): Promise<ToolResult> {
  const distribution = await kafkaDistribution();
  // A machine without a locale would write '?' for what is not ASCII.
  const text = '-Dfile.encoding=UTF-8';
  const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xlog:disable', text];
  const program = [...existingArchive(distribution), '-cp', distribution.classpath, mainClass, ...args];
  const child = spawn(distribution.java, [...options, ...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), code };
}

/** Writes a client's properties for `--command-config` beside the cluster's data and resolves with the path. */
export async function clientProperties(cluster: KafkaCluster, client: ToolClient = {}): Promise<string> {
  const { listener = 'PLAINTEXT', user = cluster.users.app, mechanism = 'SCRAM-SHA-512' } = client;
  const login = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule';
  const credentials = `username="${user.username}" password="${user.password}"`;
  const properties = [
    `security.protocol=${listener}`,
    ...(listener.startsWith('SASL')
      ? [
          `sasl.mechanism=${mechanism}`,
          `sasl.jaas.config=org.apache.kafka.common.security.${login} required ${credentials};`,
        ]
      : []),
    ...(listener.endsWith('SSL')
      ? ['ssl.truststore.type=PEM', `ssl.truststore.location=${cluster.caLocation}`]
      : []),
  ];
  return writeProperties(cluster, 'client', properties);
}

/**
 * Reads a topic with Kafka's console consumer, as a client that isn't ours. Resolves with the records in the order in
 * which they came. Rejects if the consumer fails, but not if it waits in vain.
 */
export async function consoleConsumer(
  cluster: KafkaCluster,
  options: ConsoleConsumerOptions,
): Promise<ConsoleRecord[]> {
  const { topic, maxMessages, timeoutMs = 5_000, partition, offset = 0 } = options;
  const { listener = 'PLAINTEXT', isolationLevel = 'read_uncommitted' } = options;
  const format = ['timestamp', 'partition', 'offset', 'headers', 'key', 'value'].map(
    (field) => `print.${field}=true`,
  );
  const separators = [
    `key.separator=${FIELD}`,
    `headers.separator=${HEADER}`,
    `line.separator=${LINE}`,
    `null.literal=${NULL}`,
  ];
  const formatter = await writeProperties(cluster, 'formatter', [...format, ...separators]);
  const { stdout, stderr } = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', cluster.bootstrapServers[listener]],
    ...['--command-config', await clientProperties(cluster, options)],
    ...['--formatter-config', formatter],
    ...['--topic', topic, '--isolation-level', isolationLevel, '--timeout-ms', `${timeoutMs}`],
    ...(maxMessages === undefined ? [] : ['--max-messages', `${maxMessages}`]),
    ...(partition === undefined
      ? ['--from-beginning']
      : ['--partition', `${partition}`, '--offset', `${offset}`]),
  ]);
  const failure = stderr
    .split('\n')
    .find((line) => /Exception|Error/.test(line) && !line.includes('TimeoutException'));
  if (failure) throw new Error(`The console consumer failed: ${failure.trim()}`);
  // A character for each byte, so that values that are not text survive the parsing.
  const lines = stdout.toString('latin1').split(LINE).slice(0, -1);
  return lines.map(parseRecord);
}

function parseRecord(line: string): ConsoleRecord {
  const [timestamp = '', partition = '', offset = '', headers = '', key = '', value = ''] = line.split(FIELD);
  return {
    timestamp: numberAfter(timestamp, ':'),
    partition: numberAfter(partition, ':'),
    offset: numberAfter(offset, ':'),
    headers: headers === 'NO_HEADERS' ? [] : headers.split(HEADER).map(parseHeader),
    key: bytes(key),
    value: bytes(value),
  };
}

function parseHeader(text: string): { key: string; value: Buffer | null } {
  const colon = text.indexOf(':');
  return { key: Buffer.from(text.slice(0, colon), 'latin1').toString(), value: bytes(text.slice(colon + 1)) };
}

function bytes(text: string): Buffer | null {
  return text === NULL ? null : Buffer.from(text, 'latin1');
}

function numberAfter(text: string, separator: string): number {
  return Number(text.slice(text.indexOf(separator) + 1));
}

async function writeProperties(cluster: KafkaCluster, name: string, lines: string[]): Promise<string> {
  const path = join(cluster.directory, `${name}-${randomBytes(6).toString('hex')}.properties`);
  await writeFile(path, lines.join('\n'), { mode: 0o600 });
  return path;
}
