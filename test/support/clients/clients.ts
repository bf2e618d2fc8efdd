/** Kafka clients that nobody here wrote, each set up once in the cache beside Kafka's own jars. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KafkaCluster } from '../../../local/kafka/cluster.ts';
import { cached, filled, npmTool, works } from '../../../local/tools.ts';
import { run } from '../processes.ts';
import { pythonTool } from '../tools.ts';
import { fromLine, type Plain, toLine } from './records.ts';

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Codec = (typeof codecs)[number];

export interface Client {
  name: string;
  /** Resolves with why it can't be used here; undefined where it can. */
  missing(): Promise<string | undefined>;
  command: string[];
  codecs: readonly Codec[];
  /** The highest level of each codec that has levels, where the client lets it be set. */
  levels: Partial<Record<Codec, number>>;
}

const PYTHON_PACKAGES = [
  'confluent-kafka==2.16.1',
  'kafka-python[crc32c,lz4,snappy,zstd]==3.0.12',
  'aiokafka[lz4,snappy,zstd]==0.14.0',
];
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const goSources = ['go.mod', 'main.go', 'franz.go', 'sarama.go'].map((file) => here(`go/${file}`));
const python = pythonTool(PYTHON_PACKAGES);
/** A Python that has the libraries. */
export const pythonCommand = python.path;
/** Resolves with why it can't be used; undefined where it can. */
export const pythonMissing = python.missing;
const go = cached('go', goSources.map((file) => readFileSync(file, 'utf8')).join('\n'));

const kafkajs = npmTool(['kafkajs@2.2.4', 'kafkajs-lz4@1.2.1', 'kafkajs-snappy@1.1.0'], '');

const librdkafkaLevels = { gzip: 9, lz4: 12, zstd: 12 };
/** Java's client is used through Kafka's own console producer, beside the other tests of consume-batch. */
export const clients: Client[] = [
  { ...pythonClient('confluent-kafka'), name: 'librdkafka (confluent-kafka)', levels: librdkafkaLevels },
  pythonClient('kafka-python'),
  pythonClient('aiokafka'),
  { ...goClient('franz-go'), levels: { gzip: 9, lz4: 9, zstd: 4 } },
  { ...goClient('sarama'), levels: { gzip: 9, lz4: 9, zstd: 4 } },
];

/** Of the codecs that others made for it, zstd's is native and can't be built here. */
export const kafkajsClient: Client = {
  name: 'KafkaJS',
  missing: kafkajs.missing,
  command: [process.execPath, here('kafkajs.cjs')],
  codecs: ['none', 'gzip', 'snappy', 'lz4'],
  levels: {},
};

function pythonClient(library: string): Client {
  const command = [pythonCommand, here('client.py'), library];
  return { name: library, missing: pythonMissing, command, codecs, levels: {} };
}

function goClient(library: string): Client {
  return {
    name: library,
    missing: goMissing,
    command: [join(go, 'interop'), library],
    codecs,
    levels: {},
  };
}

/** Publishes the records to partition 0, in their order. */
export async function publishWith(
  client: Client,
  cluster: KafkaCluster,
  topic: string,
  { codec, level, records }: { codec: Codec; level?: number | undefined; records: readonly Plain[] },
): Promise<void> {
  const levels = level === undefined ? [] : [`${level}`];
  await runClient(
    [...client.command, 'publish', topic, codec, ...levels],
    cluster,
    records.map(toLine).join(''),
  );
}

/** Reads so many records of partition 0, from its beginning. */
export async function readWith(
  client: Client,
  cluster: KafkaCluster,
  topic: string,
  count: number,
): Promise<Plain[]> {
  const output = await runClient([...client.command, 'read', topic, `${count}`], cluster, '');
  return output.trim().split('\n').map(fromLine);
}

async function runClient(
  [file = '', ...args]: string[],
  cluster: KafkaCluster,
  input: string,
): Promise<string> {
  const env = {
    ...process.env,
    BOOTSTRAP: cluster.bootstrapServers.SASL_SSL,
    SASL_USERNAME: cluster.users.app.username,
    SASL_PASSWORD: cluster.users.app.password,
    CA: cluster.caLocation,
    MODULES: kafkajs.path,
  };
  const { code, stdout, stderr } = await run(file, args, { env, input });
  assert.equal(code, 0, `${file} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function goMissing(): Promise<string | undefined> {
  if (!works('go', ['version'])) return 'there is no go on the PATH';
  const isReady = await filled(go, async (cwd) => {
    await mkdir(cwd);
    for (const file of goSources) await cp(file, join(cwd, file.split('/').at(-1) ?? ''));
    return works('go', ['mod', 'tidy'], { cwd }) && works('go', ['build', '-o', 'interop', '.'], { cwd });
  });
  return isReady ? undefined : 'the Go module could not be built';
}
