import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after } from 'node:test';
import { errorTable } from './errors.ts';

/** An answer as its bytes told it: names in lower case, each with all of its lines. */
export interface Answer {
  version: string;
  status: number;
  headers: Record<string, string[]>;
  body: string;
}

/** A client that sends what it is told, however wrong, and reads answers by RFC 9112 and no other rule. */
export class RawClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #hasEnded = false;
  /** Called with each event of the socket. */
  #wake = () => {};
  /** Why the connection broke; a connection that ended as it should has none. */
  error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    for (const event of ['end', 'close'] as const) {
      socket.on(event, () => {
        this.#hasEnded = true;
        this.#wake();
      });
    }
  }

  /** Whether the server takes it or not: an early refusal may come first. */
  async send(...parts: (string | Buffer)[]): Promise<void> {
    const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Sends no more, and goes on reading: a half-closed connection. */
  endSending(): void {
    this.#socket.end();
  }

  /** The next answer; fails where the connection ends before it is whole. */
  async answer({ to = 'GET' } = {}): Promise<Answer> {
    const head = await this.#until(() => {
      const end = this.#received.indexOf('\r\n\r\n');
      return end < 0 ? undefined : this.#take(end + 4);
    });
    const [start = '', ...lines] = head.toString('latin1').trimEnd().split('\r\n');
    const [, version = '', status = ''] = /^(HTTP\/1\.[01]) (\d{3}) [^\r\n]*$/.exec(start) ?? [];
    assert.ok(status, `a status line: ${start}`);
    const headers: Record<string, string[]> = {};
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      assert.ok(name, `a header field: ${line}`);
      headers[name.toLowerCase()] = [...(headers[name.toLowerCase()] ?? []), value];
    }
    const hasBody = to !== 'HEAD' && !['204', '304'].includes(status) && !status.startsWith('1');
    const length = hasBody ? Number(headers['content-length']?.[0]) : 0;
    assert.ok(length >= 0, `a Content-Length: ${head}`);
    const body = await this.#until(() => (this.#received.length < length ? undefined : this.#take(length)));
    return { version, status: Number(status), headers, body: body.toString() };
  }

  /** Sends a request and reads its answer. */
  async ask(...parts: (string | Buffer)[]): Promise<Answer> {
    await this.send(...parts);
    return this.answer({ to: String(parts[0]).split(' ')[0] ?? '' });
  }

  /** The server has ended its side, in good order and with nothing left to read. */
  async ended(): Promise<void> {
    while (!this.#hasEnded) await this.#event();
    assert.equal(this.error, undefined);
    assert.equal(this.#received.toString('latin1'), '');
  }

  #take(bytes: number): Buffer {
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  async #until<T>(read: () => T | undefined): Promise<T> {
    for (;;) {
      const result = read();
      if (result !== undefined) return result;
      assert.ok(!this.#hasEnded, `the connection ended (${this.error?.code}) behind: ${this.#received}`);
      await this.#event();
    }
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export async function rawClient({ port }: { port: number }): Promise<RawClient> {
  // Half-open: what the server has to say is read also where it has ended its side first.
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  after(() => socket.destroy());
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** A request's head, and body where there is one, with a Host and a Content-Length unless told otherwise. */
export function message(
  start: string,
  headers: Record<string, string> = {},
  body: string | Buffer = '',
): Buffer {
  const bytes = Buffer.from(body as string);
  const framed = 'content-length' in headers || 'transfer-encoding' in headers || bytes.length === 0;
  const all = { host: 'h', ...(framed ? {} : { 'content-length': `${bytes.length}` }), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${start} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), bytes]);
}

/** In the shape of every error, with an id of the request. */
export function assertRefused({ status, headers, body }: Answer, expected: number, code: string): void {
  assert.equal(status, expected, body);
  const error = JSON.parse(body) as Record<string, unknown>;
  const row = errorTable.find((known) => known.code === code);
  assert.deepEqual(
    [error.code, error.error_code, error.retriable, error.delivery, status],
    [code, row?.errorCode, row?.retriable, row?.delivery, row?.status],
  );
  assert.ok(error.message);
  assert.deepEqual(headers['content-type'], ['application/json']);
  assert.match(headers['x-request-id']?.[0] ?? '', /^[\w-]{8,}$/);
  assert.equal(headers.date?.length, 1);
}
