import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FrameReader } from '../../src/kafka/connection/frames.ts';
import { newSeed, randomFrom } from '../support/random.ts';

function frame(content: string): Buffer {
  const bytes = Buffer.from(`0000${content}`);
  bytes.writeInt32BE(bytes.length - 4);
  return bytes;
}

/** What comes out when these chunks go in, one after the other, in one buffer that is used again. */
function read(chunks: readonly Buffer[]): Buffer[] {
  const frames: Buffer[] = [];
  const reader = new FrameReader((bytes) => frames.push(bytes));
  const shared = Buffer.alloc(Math.max(...chunks.map(({ length }) => length)));
  for (const chunk of chunks) {
    chunk.copy(shared);
    reader.push(shared.subarray(0, chunk.length));
  }
  return frames;
}

describe('frames', () => {
  const frames = ['one', '', 'x'.repeat(70_000), 'four', 'y'.repeat(5)].map(frame);

  test('come out whole, with their size, wherever the bytes were cut', () => {
    const bytes = Buffer.concat(frames);
    const seed = newSeed();
    const random = randomFrom(seed);
    assert.deepEqual(read([bytes]), frames);
    assert.deepEqual(read(Array.from(bytes, (byte) => Buffer.from([byte]))), frames);
    for (let round = 0; round < 200; round++) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + random.below(round % 2 ? 20_000 : 12);
        chunks.push(bytes.subarray(at, at + length));
        at += length;
      }
      assert.deepEqual(read(chunks), frames, `SEED=${seed}, round ${round}`);
    }
  });

  test('do not come out before their last byte', () => {
    const bytes = frame('almost');
    assert.deepEqual(read([bytes.subarray(0, -1)]), []);
  });

  test('before a login they are small', () => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(2 * 1024 * 1024);
    assert.throws(() => read([size]), RangeError);
    const reader = new FrameReader(() => {});
    reader.trust();
    reader.push(size);
  });

  for (const [name, size] of [
    ['a negative size', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['what an HTTP server sends', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
  ] as const) {
    test(`${name} is no frame, and takes no memory`, () => {
      assert.throws(() => read([size]), RangeError);
    });
  }
});
