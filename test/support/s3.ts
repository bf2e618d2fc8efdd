/** A bucket of a real S3 server, and an S3 client that nobody here wrote. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { SinkConfig } from '../../functions/consume-batch/sinks/open-sink.ts';
import { type S3Proxy, startS3Proxy } from '../../local/s3proxy.ts';
import { npmTool } from '../../local/tools.ts';
import { Secret } from '../../src/secret.ts';

const SDK = '@aws-sdk/client-s3';
const sdk = npmTool([`${SDK}@3.1169.0`], `${SDK}/package.json`);

export type S3SinkOptions = Extract<SinkConfig, { name: 's3' }>;

export interface StoredObject {
  name: string;
  /** From its name. */
  from: number;
  /** From its metadata. */
  to: number;
  /** As the metadata has it. */
  sha256: string;
  contentType: string;
  bytes: Buffer;
  /** Decompressed, without their ends. */
  lines: string[];
}

export interface Bucket {
  server: S3Proxy;
  sink(more?: Partial<S3SinkOptions>): S3SinkOptions;
  /** For a built function. */
  variables(url?: string): Record<string, string>;
  /** The objects whose names begin so, sorted by name. */
  objects(prefix: string): Promise<StoredObject[]>;
  remove(name: string): Promise<void>;
}

interface Sdk {
  S3Client: new (config: object) => { send(command: unknown): Promise<never>; destroy(): void };
  [command: string]: new (input: object) => unknown;
}

/** Loads a module that was installed with the SDK. */
export async function requireOfSdk(name: string): Promise<unknown> {
  const reason = await sdk.missing();
  assert.equal(reason, undefined);
  return createRequire(sdk.path)(name);
}

/** For the top level of a test file: the server is stopped when all its tests are over. */
export async function bucketForTests(): Promise<Bucket> {
  // Its next versions want a newer Node.js than the platform's.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const module = (await requireOfSdk(SDK)) as Sdk;
  const server = await startS3Proxy();
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = server;
  const client = new module.S3Client({
    ...{ endpoint, region, forcePathStyle: true },
    credentials: { accessKeyId, secretAccessKey },
  });
  after(async () => {
    client.destroy();
    await server.stop();
  });
  const send = <T>(command: string, input: object): Promise<T> => {
    const Command = module[`${command}Command`] ?? assert.fail(command);
    return client.send(new Command({ Bucket: bucket, ...input }));
  };
  const read = async (Key: string): Promise<StoredObject> => {
    const got = await send<{
      Body: { transformToByteArray(): Promise<Uint8Array> };
      Metadata: Record<string, string>;
      ContentType: string;
    }>('GetObject', { Key });
    const bytes = Buffer.from(await got.Body.transformToByteArray());
    const text = (Key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    assert.ok(text.endsWith('\n'), `${Key} ends in a line`);
    return {
      name: Key,
      from: Number(/(\d{20})\.jsonl(\.gz)?$/.exec(Key)?.[1]),
      to: Number(got.Metadata['next-offset']),
      sha256: got.Metadata.sha256 ?? '',
      contentType: got.ContentType,
      bytes,
      lines: text.slice(0, -1).split('\n'),
    };
  };
  return {
    server,
    sink: (more = {}) => ({
      ...{ name: 's3', endpoint, bucket, region, pathStyle: true },
      accessKey: { id: accessKeyId, secret: new Secret(secretAccessKey), token: undefined },
      template: '{topic}/{partition}/{start_offset}',
      ...{ fields: ['value'], compression: 'gzip' },
      ...more,
    }),
    variables: (url = endpoint) => ({
      ...{ CONSUME_SINK: 's3', CONSUME_SINK_URL: url },
      ...{ CONSUME_SINK_S3_BUCKET_NAME: bucket, CONSUME_SINK_S3_REGION: region },
      CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED: 'true',
      CONSUME_SINK_AWS_ACCESS_KEY_ID: accessKeyId,
      CONSUME_SINK_AWS_SECRET_ACCESS_KEY: secretAccessKey,
    }),
    async objects(Prefix) {
      const names: string[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page: { Contents?: { Key: string }[]; NextContinuationToken?: string } = await send(
          'ListObjectsV2',
          { Prefix, ContinuationToken },
        );
        names.push(...(page.Contents ?? []).map(({ Key }) => Key));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      return Promise.all(names.sort().map(read));
    },
    async remove(Key) {
      await send('DeleteObject', { Key });
    },
  };
}

/** Objects of one partition that are its log from `from` to `to`, without gap or overlap. */
export function assertContiguous(objects: readonly StoredObject[], from: number, to: number): void {
  const ranges = objects.map((object) => [object.from, object.to]);
  const starts = [from, ...objects.map((object) => object.to)].slice(0, -1);
  assert.deepEqual(
    objects.map((object) => object.from),
    starts,
    JSON.stringify(ranges),
  );
  assert.equal(objects.at(-1)?.to ?? from, to, JSON.stringify(ranges));
}

/** The numbers in a topic's objects, which are its log, partition by partition, up to the committed offsets. */
export async function numbersInBucket(
  bucket: Bucket,
  topic: string,
  committed: ReadonlyMap<number, number>,
): Promise<{ numbers: number[]; objects: number }> {
  const numbers: number[] = [];
  let count = 0;
  for (const [partition, end] of committed) {
    const objects = await bucket.objects(`${topic}/${partition}/`);
    assertContiguous(objects, 0, Math.max(0, end));
    count += objects.length;
    numbers.push(...objects.flatMap(({ lines }) => lines.map((line) => JSON.parse(line).n)));
  }
  return { numbers: numbers.sort((a, b) => a - b), objects: count };
}
