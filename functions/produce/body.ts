import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Budget } from '../../src/budget.ts';
import { Failure } from '../../src/errors.ts';
import type { HttpRequest, RequestHead } from '../../src/http/message.ts';

const unzip = promisify(gunzip);

/**
 * The most that all requests of the process together may hold of inflated bodies; the others wait. There is room for
 * two of the largest: one inflates while the other is being read.
 */
const large = new Budget(12 * 1024 * 1024);
/** The same for bodies that claim to be small, so that they don't wait behind large ones. */
const small = new Budget(8 * 1024 * 1024);
/** The turn to read a large body. */
const reading = new Budget(1);
const SMALL = 64 * 1024;
/** The longest wait; the rest of a call's time is for publishing. */
const MAX_WAIT_MS = 2_000;
/** Deflate gives 258 bytes for two bits at the most. */
const MAX_DEFLATE_RATIO = 1_032;
/** A member ends with the length of its content, modulo 2^32 (RFC 1952, section 2.3.1). */
const TRAILER = 4;

export interface BodyLimits {
  /** For the body as it was sent, and as decompressed. */
  maxBytes: number;
  /** Epoch milliseconds. QUEUE_FULL where there is no room for an inflated body until then. */
  deadline: number;
}

/** Calls `read` with the body's bytes, decompressed where they are gzip. Throws BODY_TOO_LARGE. */
export async function withBody<T>(
  request: HttpRequest,
  { maxBytes, deadline }: BodyLimits,
  read: (bytes: Buffer) => T,
): Promise<T> {
  const { body } = request;
  if (body.length > maxBytes) throw tooLarge(maxBytes);
  const until = Math.min(deadline, Date.now() + MAX_WAIT_MS);
  if (!isGzip(request)) return inTurn(body, until, read);
  const bound = Math.min(maxBytes, body.length * MAX_DEFLATE_RATIO);
  // For several members, this is the last one's length. A larger body shows when it is inflated, and then waits with
  // the large ones.
  const announced = body.length < TRAILER ? 0 : body.readUInt32LE(body.length - TRAILER);
  const isSmall = announced <= Math.min(SMALL, bound);
  const lanes = [
    { budget: small, size: announced },
    { budget: large, size: bound },
  ];
  for (const { budget, size } of isSmall ? lanes : lanes.slice(1)) {
    const lease = await budget.take(size, until);
    if (!lease) throw new Failure('QUEUE_FULL', 'too many compressed bodies are being read at this moment');
    try {
      const bytes = await inflate(body, size);
      if (bytes) return await inTurn(bytes, until, read);
    } finally {
      lease.release();
    }
  }
  throw tooLarge(maxBytes);
}

/** Reads large bodies in turn: each blocks for a tenth of a second, and others get a chance in between. */
async function inTurn<T>(bytes: Buffer, until: number, read: (bytes: Buffer) => T): Promise<T> {
  if (bytes.length <= SMALL) return read(bytes);
  const lease = await reading.take(1, until);
  if (!lease) throw new Failure('QUEUE_FULL', 'too many large bodies are being read at this moment');
  try {
    await setImmediate();
    return read(bytes);
  } finally {
    lease.release();
  }
}

/** Throws UNSUPPORTED_MEDIA_TYPE for an unknown encoding. */
export function isGzip({ headers }: RequestHead): boolean {
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return false;
  if (encoding === 'gzip' || encoding === 'x-gzip') return true;
  throw new Failure('UNSUPPORTED_MEDIA_TYPE', 'the content-encoding must be gzip or identity', {
    headers: { 'accept-encoding': 'gzip, identity' },
  });
}

/** Undefined where the body gives more. */
async function inflate(body: Buffer, maxBytes: number): Promise<Buffer | undefined> {
  try {
    return await unzip(body, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw new Failure('MALFORMED_REQUEST', 'the body is not valid gzip, as its content-encoding says');
  }
}

function tooLarge(maxBytes: number): Failure {
  return new Failure('BODY_TOO_LARGE', `the body exceeds PRODUCE_MAX_BODY_BYTES (${maxBytes} bytes)`);
}
