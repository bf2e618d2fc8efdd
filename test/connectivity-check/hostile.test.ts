import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { faultIds } from '../../functions/connectivity-check/faults.ts';
import { array, int16, int32 } from '../../local/kafka/wire.ts';
import { checkWith } from '../support/check.ts';
import { FrameSplitter, toFrame } from '../support/faults/flow.ts';
import { newSeed, type Random, randomFrom } from '../support/random.ts';

const METADATA = 3;
const API_VERSIONS = 18;
const SERVERS = 60;

const seed = newSeed();

/** Answers ApiVersions as a broker does, where it is `honest` that far, and everything else at random. */
async function startLiar(t: TestContext, random: Random): Promise<number> {
  const honest = random.chance(0.5);
  const server = createServer((socket) => {
    const splitter = new FrameSplitter();
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const frame of splitter.push(bytes).frames) {
        const isVersions = frame.readInt16BE(0) === API_VERSIONS;
        const body = honest && isVersions ? apiVersions() : bytesOf(random);
        const payload = Buffer.concat([frame.subarray(4, 8), body]);
        socket.write(random.chance(0.8) ? toFrame(payload) : bytesOf(random));
        if (random.chance(0.2)) socket.destroy();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function bytesOf(random: Random): Buffer {
  const length = random.below(random.chance(0.2) ? 4_000 : 60);
  // Small numbers make lengths and counts that lead further into a decoder than noise does.
  return Buffer.from(Array.from({ length }, () => random.below(random.chance(0.7) ? 3 : 256)));
}

function apiVersions(): Buffer {
  const api = (key: number, highest: number) => Buffer.concat([int16(key), int16(0), int16(highest)]);
  return Buffer.concat([
    int16(0),
    array([api(METADATA, 8), api(API_VERSIONS, 3), api(17, 1), api(36, 1)]),
    int32(0),
  ]);
}

describe('whatever answers', { concurrency: 12 }, () => {
  for (let index = 0; index < SERVERS; index++) {
    test(`server ${index} of seed ${seed}: the check comes to a verdict of its list, in time`, async (t) => {
      const random = randomFrom(seed + index);
      const port = await startLiar(t, random);
      const protocol = random.pick(['PLAINTEXT', 'PLAINTEXT', 'SASL_PLAINTEXT', 'SSL']);
      const startedAt = Date.now();
      const report = await checkWith(
        {
          KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${port}`,
          KAFKA_SECURITY_PROTOCOL: protocol,
          KAFKA_SASL_USERNAME: 'u',
          KAFKA_SASL_PASSWORD: 'a-password',
          KAFKA_SASL_MECHANISM: random.pick(['PLAIN', 'SCRAM-SHA-512']),
          // Nothing that a liar advertises is dialled beyond this machine.
          CHECK_ALLOWED_ADDRESSES: '127.0.0.0/8',
          CHECK_TOPIC: 't',
          CHECK_GROUP_ID: 'g',
          CHECK_ROUND_TRIP: 'true',
        },
        800,
      );
      const elapsedMs = Date.now() - startedAt;
      assert.ok(elapsedMs < 800 + 250, `${elapsedMs} ms, ${JSON.stringify(report.verdict)}`);
      assert.equal(report.ok, false);
      const fault = report.verdict?.fault.replace(/^ADVERTISED_/, '');
      assert.ok(
        faultIds.some((known) => known === fault),
        fault,
      );
      assert.ok(!JSON.stringify(report).includes('a-password'));
    });
  }
});
