import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { RunningFunction } from '../support/http-function.ts';

const MIB = 1024 * 1024;
const REQUESTS = 400;

/** A request's body that fills almost 6 MiB with what `inside` repeats. */
function inflating(before: string, inside: string, behind: string): Buffer {
  const room = 6 * MIB - before.length - behind.length - 2;
  const body = gzipSync(`${before}${inside.repeat(Math.floor(room / inside.length))}${behind}`);
  assert.ok(body.length < 20_000, `${body.length} bytes`);
  return body;
}

const bombs = [
  inflating('{"records":[{"value":[', '{},', '{}]}]}'),
  inflating('{"records":[{"value":1,"headers":[', '{},', '{}]}]}'),
  inflating('{"records":[', '{},', '{}]}'),
  inflating(`{"records":[${'{},'.repeat(9_999)}{}]`, ' ', '}'),
  inflating('{"records":[{"value":', '[', '}]}'),
  inflating('{"other":[', '[],', '[]],"records":[{"value":1}]}'),
];

export const type = { 'content-type': 'application/json' };

export async function honest({ url }: RunningFunction, topic: string, isCompressed = false): Promise<number> {
  const body = JSON.stringify({ records: [{ key: 'a', value: { n: 1 } }] });
  const response = await fetch(`${url}/topics/${topic}`, {
    method: 'POST',
    ...(isCompressed
      ? { headers: { ...type, 'content-encoding': 'gzip' }, body: gzipSync(body) }
      : { headers: type, body }),
  });
  await response.arrayBuffer();
  return response.status;
}

export interface Attacked {
  /** How often each status was the answer to an attacking request. */
  statuses: Map<number, number>;
  /** How long each honest request beside them took, in milliseconds. */
  honestMs: number[];
}

/** 400 small requests at once that inflate to 6 MiB each, and honest ones beside them, one after another. */
export async function attack(server: RunningFunction, topic: string): Promise<Attacked> {
  const statuses = new Map<number, number>();
  const attacking = Array.from({ length: REQUESTS }, async (_, n) => {
    const response = await fetch(`${server.url}/topics/${topic}`, {
      method: 'POST',
      headers: { ...type, 'content-encoding': 'gzip' },
      body: bombs[n % bombs.length] ?? null,
    });
    await response.arrayBuffer();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  });
  let isOver = false;
  const over = Promise.all(attacking).finally(() => {
    isOver = true;
  });
  const honestMs: number[] = [];
  while (!isOver) {
    const asked = Date.now();
    assert.equal(await honest(server, topic, honestMs.length % 2 === 0), 200);
    honestMs.push(Date.now() - asked);
  }
  await over;
  return { statuses, honestMs };
}
