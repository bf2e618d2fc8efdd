/** One direction of a proxied connection: delay, order, back-pressure and, where asked for, Kafka frames. */
import type { Socket } from 'node:net';

/** What moves: bytes, with something to do once they have left, or the end of them (FIN). */
type Item = { bytes: Buffer; then?: () => void } | 'end';

/** Kafka refuses larger frames itself (socket.request.max.bytes), and a TLS record read as a length is larger. */
const LARGEST_FRAME = 100 * 1024 * 1024;

/** Cuts a byte stream into Kafka frames, until it turns out to be something else. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);
  #isKafka = true;

  /** The frames that `bytes` complete, without their four length bytes, and what is no Kafka and must pass as it is. */
  push(bytes: Buffer): { frames: Buffer[]; raw: Buffer | undefined } {
    if (!this.#isKafka) return { frames: [], raw: bytes };
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: Buffer[] = [];
    while (rest.length >= 4) {
      const size = rest.readInt32BE(0);
      if (size < 0 || size > LARGEST_FRAME) {
        this.#isKafka = false;
        return { frames, raw: rest };
      }
      if (rest.length < 4 + size) break;
      frames.push(rest.subarray(4, 4 + size));
      rest = rest.subarray(4 + size);
    }
    this.#rest = rest;
    return { frames, raw: undefined };
  }
}

/** Puts the four length bytes back. */
export function toFrame(payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(payload.length);
  return Buffer.concat([length, payload]);
}

/** Delivers to `target` in order, each item `delayMs()` after it came, and pauses `source` while `target` is full. */
export class DelayLine {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #delayMs: () => number;
  #queue: { item: Item; due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, target: Socket, delayMs: () => number) {
    this.#source = source;
    this.#target = target;
    this.#delayMs = delayMs;
    target.on('drain', () => source.resume());
  }

  push(item: Item): void {
    const delayMs = this.#delayMs();
    if (delayMs === 0 && this.#queue.length === 0) {
      this.#deliver(item);
      return;
    }
    this.#queue.push({ item, due: performance.now() + delayMs });
    this.#timer ??= this.#waitForHead();
  }

  /** Forgets what is still under way. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue = [];
  }

  /** One timer, for the head alone: with one an item, a lowered delay would let the later overtake the earlier. */
  #waitForHead(): NodeJS.Timeout | undefined {
    const [head] = this.#queue;
    if (!head) return undefined;
    return setTimeout(() => {
      this.#queue.shift();
      this.#timer = this.#waitForHead();
      this.#deliver(head.item);
    }, head.due - performance.now());
  }

  #deliver(item: Item): void {
    if (this.#target.destroyed) return;
    if (item === 'end') this.#target.end();
    else if (!this.#target.write(item.bytes, () => item.then?.())) this.#source.pause();
  }
}
