import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withProgress } from './console.ts';
import { cacheRoot, classpathOf } from './kafka/distribution.ts';
import { type GuardedProcess, startGuard } from './kafka/guard.ts';
import { findJava, hashOf } from './kafka/java.ts';
import { copyJars } from './kafka/maven.ts';
import { freePorts } from './kafka/ports.ts';
import { filled } from './tools.ts';

const POM = fileURLToPath(new URL('./s3proxy.xml', import.meta.url));
const OTHERWISE = 'or name a store of your own in CONSUME_SINK_URL';
const READY_WITHIN_MS = 60_000;
const POLL_MS = 50;
const LOG_LINES = 20;

/** A real S3 server on 127.0.0.1, which checks signatures. Buckets are addressed in the path. */
export interface S3Proxy {
  /** An origin. */
  endpoint: string;
  host: string;
  port: number;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Each bucket is a folder in it, each object a file. */
  directory: string;
  stop(): Promise<void>;
}

/** Starts S3Proxy with an empty bucket. Its data is gone with this process. */
export async function startS3Proxy({ bucket = 'records' } = {}): Promise<S3Proxy> {
  const { java } = await findJava();
  const classpath = await classpathOf(await jarsOfS3Proxy());
  const [port = 0] = await freePorts(1);
  // Synchronously: between two turns a signal could leave a directory that nobody removes.
  const home = mkdtempSync(join(tmpdir(), 's3proxy-'));
  const directory = join(home, 'buckets');
  mkdirSync(join(directory, bucket), { recursive: true });
  const guard = startGuard(home);
  try {
    const accessKeyId = `AK${randomBytes(9).toString('hex')}`;
    const secretAccessKey = randomBytes(24).toString('base64url');
    const endpoint = `http://127.0.0.1:${port}`;
    const properties = {
      's3proxy.endpoint': endpoint,
      's3proxy.authorization': 'aws-v4',
      's3proxy.identity': accessKeyId,
      's3proxy.credential': secretAccessKey,
      // The token of a temporary key, which it would refuse.
      's3proxy.ignore-unknown-headers': 'true',
      'jclouds.provider': 'filesystem-nio2',
      'jclouds.filesystem.basedir': directory,
      'jclouds.identity': 'none',
      'jclouds.credential': 'none',
    };
    const file = join(home, 's3proxy.properties');
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
    await writeFile(file, lines.join('\n'), { mode: 0o600 });
    const log = join(home, 's3proxy.log');
    const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classpath];
    const program = ['org.gaul.s3proxy.Main', '--properties', file];
    const server = guard.start('s3proxy', java, [...options, ...program], log);
    await ready(endpoint, server, log);
    return {
      ...{ endpoint, port, bucket, accessKeyId, secretAccessKey, directory },
      host: '127.0.0.1',
      region: 'us-east-1',
      stop: () => guard.close(),
    };
  } catch (error) {
    await guard.close();
    throw error;
  }
}

/** The folder of its jars, which are fetched the first time and kept beside Kafka's. */
async function jarsOfS3Proxy(): Promise<string> {
  const directory = join(cacheRoot(), `s3proxy-${hashOf(await readFile(POM, 'utf8'))}`);
  await filled(directory, async (temporary) => {
    await mkdir(temporary);
    await withProgress('Fetching S3Proxy (57 MB, once)', () =>
      copyJars(join(temporary, 'lib'), { product: 'S3Proxy', pom: POM, otherwise: OTHERWISE }),
    );
    return true;
  });
  return directory;
}

/** Any answer will do: without a signature it is a refusal. */
async function ready(endpoint: string, server: GuardedProcess, log: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (server.exit === undefined && performance.now() < deadline) {
    if (await fetch(endpoint).catch(() => undefined)) return;
    await wait(POLL_MS);
  }
  const lines = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-LOG_LINES);
  throw new Error(`S3Proxy did not start. Its log ends:\n${lines.join('\n')}`);
}
