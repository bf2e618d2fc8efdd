// What the clients of the vendor's guide publish is pulled here, and what is published here they read:
// Python (confluent-kafka, kafka-python) and Go (franz-go), over SASL_SSL. Java's is in the normal tests.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ProducerRecord } from '../../src/record.ts';
import { newConsumer } from '../consume-batch/consuming.ts';
import { connectionConfigFor, kafkaForTests, newProducer, newTopic } from '../kafka.ts';

const SET_UP_MS = 300_000;
const cluster = await kafkaForTests();
const directory = await mkdtemp(join(tmpdir(), 'interop-'));
after(() => rm(directory, { recursive: true, force: true }));
const here = (path: string) => fileURLToPath(new URL(`interop/${path}`, import.meta.url));

type Plain = Pick<ProducerRecord, 'key' | 'value' | 'headers'>;

const records: Plain[] = Array.from({ length: 300 }, (_, n) => ({
  // kafka-python refuses a record that has neither key nor value.
  key: n % 7 === 6 && n % 10 !== 9 ? null : Buffer.from([n & 0xff, 0, 255]),
  value: n % 10 === 9 ? null : Buffer.from(Array.from({ length: 500 }, (_, i) => (i * n) & 0xff)),
  headers: [
    { key: 'h', value: Buffer.from([255, n & 0xff]) },
    { key: 'h', value: Buffer.from('again') },
  ],
}));

interface Client {
  name: string;
  /** Undefined where it can be used, else why it can't. */
  missing: () => Promise<string | undefined>;
  command: string[];
}

const python = join(directory, 'python');
const clients: Client[] = [
  ...['confluent-kafka', 'kafka-python'].map((library) => ({
    name: `Python, ${library}`,
    missing: pythonMissing,
    command: [join(python, 'bin', 'python'), here('client.py'), library],
  })),
  { name: 'Go, franz-go', missing: goMissing, command: [join(directory, 'interop-go')] },
];

let pythonSetUp: Promise<string | undefined> | undefined;

function pythonMissing(): Promise<string | undefined> {
  pythonSetUp ??= (async () => {
    if (!works('python3', ['--version'])) return 'there is no python3 on the PATH';
    const packages = ['confluent-kafka', 'kafka-python[crc32c,lz4,snappy,zstd]'];
    const isReady =
      works('python3', ['-m', 'venv', python]) &&
      works(join(python, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages]);
    return isReady ? undefined : 'the Python packages could not be installed';
  })();
  return pythonSetUp;
}

async function goMissing(): Promise<string | undefined> {
  if (!works('go', ['version'])) return 'there is no go on the PATH';
  const source = join(directory, 'go');
  await cp(here('go'), source, { recursive: true });
  const isReady =
    works('go', ['mod', 'tidy'], source) &&
    works('go', ['build', '-o', join(directory, 'interop-go'), '.'], source);
  return isReady ? undefined : 'the Go module could not be built';
}

function works(command: string, args: string[], cwd = directory): boolean {
  return spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

for (const { name, missing, command } of clients) {
  describe(name, () => {
    let reason: string | undefined;
    before(
      async () => {
        reason = await missing();
      },
      { timeout: SET_UP_MS },
    );

    for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      test(`what it publishes with ${compression} is pulled byte for byte`, async (t) => {
        if (reason) return t.skip(reason);
        const topic = await newTopic(cluster, { partitions: 1 });
        await runClient([...command, 'publish', topic, compression], records.map(toLine).join(''));
        const { pull, handled } = newConsumer(cluster, { groupId: `${topic}-g`, topics: [topic] });
        await pull();
        assert.deepEqual(handled.map(plain), records);
      });
    }

    for (const compression of ['none', 'gzip', 'lz4'] as const) {
      test(`what is published here with ${compression} it reads byte for byte`, async (t) => {
        if (reason) return t.skip(reason);
        const topic = await newTopic(cluster, { partitions: 1 });
        const { producer } = newProducer(connectionConfigFor(cluster), { compression });
        await producer.send(
          records.map((record) => ({ topic, partition: 0, ...record })),
          Date.now() + 10_000,
        );
        const output = await runClient([...command, 'read', topic, `${records.length}`], '');
        assert.deepEqual(output.trim().split('\n').map(fromLine), records);
      });
    }
  });
}

async function runClient([file = '', ...args]: string[], input: string): Promise<string> {
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      BOOTSTRAP: cluster.bootstrapServers.SASL_SSL,
      SASL_USERNAME: cluster.users.app.username,
      SASL_PASSWORD: cluster.users.app.password,
      CA: cluster.caLocation,
    },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stdin.end(input);
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0);
  return output;
}

function plain({ key, value, headers }: Plain): Plain {
  return { key, value, headers };
}

function toLine({ key, value, headers }: Plain): string {
  const encoded = headers.map((header) => [header.key, header.value?.toString('base64') ?? null]);
  return `${JSON.stringify({
    ...{ key: key?.toString('base64') ?? null, value: value?.toString('base64') ?? null },
    headers: encoded,
  })}\n`;
}

function fromLine(line: string): Plain {
  const { key, value, headers } = JSON.parse(line);
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'));
  return {
    key: bytes(key),
    value: bytes(value),
    headers: headers.map(([name, data]: [string, string | null]) => ({ key: name, value: bytes(data) })),
  };
}
