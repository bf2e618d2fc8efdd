import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { toFrame } from './flow.ts';
import { type FaultProxy, startFaultProxy } from './proxy.ts';
import * as servers from './servers.ts';

/** Long enough for anything on this machine to arrive: what hasn't come by then was dropped. */
const SILENCE_MS = 60;

/** An echo server behind a proxy; `peers` are the server's sides of the connections. */
async function start(t: TestContext) {
  const peers: Socket[] = [];
  const echo = createServer((socket) => {
    peers.push(socket);
    socket.on('error', () => {}).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { port } = echo.address() as AddressInfo;
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port } });
  t.after(async () => {
    await proxy.close();
    for (const peer of peers) peer.destroy();
    echo.close();
  });
  return { proxy, peers, port };
}

/** A client whose events are kept from the first moment on. */
function dial(t: TestContext, port: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  t.after(() => socket.destroy());
  let received = '';
  let error: NodeJS.ErrnoException | undefined;
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
  });
  socket.on('error', (cause) => {
    error = cause;
  });
  return {
    socket,
    get received() {
      return received;
    },
    connected: () => once(socket, 'connect'),
    ended: () => once(socket, 'end'),
    async closed() {
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
      return error?.code;
    },
    async receives(text: string) {
      while (!received.includes(text)) await once(socket, 'data');
    },
    async hears(text: string) {
      socket.write(text, 'latin1');
      await this.receives(text);
    },
  };
}

function silence(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
}

/** A request frame with its length bytes. */
function kafkaRequest(apiKey: number, correlationId: number, body = ''): Buffer {
  const header = Buffer.alloc(8);
  header.writeInt16BE(apiKey, 0);
  header.writeInt16BE(3, 2);
  header.writeInt32BE(correlationId, 4);
  return toFrame(Buffer.concat([header, Buffer.from(body)]));
}

/** A server that answers each request frame with its correlation id and `answer`. */
async function startKafkaLike(t: TestContext, proxy: FaultProxy): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readInt32BE(at)) {
        socket.write(toFrame(Buffer.concat([bytes.subarray(at + 8, at + 12), Buffer.from('answer')])));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  proxy.setTarget('127.0.0.1', (server.address() as AddressInfo).port);
}

describe('fault proxy', { concurrency: 8 }, () => {
  test('passes bytes and ends both ways', async (t) => {
    const { proxy } = await start(t);
    const client = dial(t, proxy.port);
    await client.hears('hello');
    assert.deepEqual([proxy.connections, proxy.accepted], [1, 1]);
    client.socket.end();
    await client.ended();
    assert.equal(await client.closed(), undefined);
  });

  test('passes more than the buffers hold', async (t) => {
    const { proxy } = await start(t);
    const client = dial(t, proxy.port);
    client.socket.end(Buffer.alloc(5_000_000, 'x'));
    await client.ended();
    assert.equal(client.received.length, 5_000_000);
  });

  test('refuses, and accepts again on the same port', async (t) => {
    const { proxy } = await start(t);
    const before = dial(t, proxy.port);
    await before.hears('a');
    await proxy.refuse();
    assert.equal(await dial(t, proxy.port).closed(), 'ECONNREFUSED');
    await before.hears('b');
    await proxy.accept();
    await dial(t, proxy.port).hears('c');
  });

  test('is silent', async (t) => {
    const { proxy, peers } = await start(t);
    const before = dial(t, proxy.port);
    await before.hears('a');
    proxy.silent();
    const client = dial(t, proxy.port);
    client.socket.write('b');
    before.socket.write('b');
    await silence();
    assert.deepEqual([client.received, before.received, peers.length], ['', 'a', 1]);
    proxy.pass();
    await dial(t, proxy.port).hears('c');
  });

  test('forgets connections without telling either side', async (t) => {
    const { proxy, peers } = await start(t);
    const client = dial(t, proxy.port);
    await client.hears('a');
    proxy.forget();
    const [peer] = peers;
    assert.ok(peer);
    client.socket.write('b');
    peer.write('c');
    await dial(t, proxy.port).hears('new');
    client.socket.end();
    await silence();
    assert.deepEqual([client.received, client.socket.readableEnded], ['a', false]);
    assert.deepEqual([peer.bytesRead, peer.readableEnded, peer.destroyed], [1, false, false]);
    // On a busy machine the client's own end takes its time to arrive.
    while (proxy.connections > 1) await nextTurn();
    assert.equal(proxy.connections, 1);
  });

  test('swallows answers, all or some', async (t) => {
    const { proxy, peers } = await start(t);
    const client = dial(t, proxy.port);
    await client.hears('a');
    const [peer] = peers;
    assert.ok(peer);
    proxy.swallowAnswers();
    client.socket.write('b');
    await once(peer, 'data');
    await silence();
    assert.equal(client.received, 'a');
    proxy.swallowAnswers(1);
    client.socket.write('c');
    await once(peer, 'data');
    await silence();
    await client.hears('d');
    assert.equal(client.received, 'ad');
  });

  test('cuts after some bytes, once', async (t) => {
    const { proxy } = await start(t);
    const client = dial(t, proxy.port);
    await client.hears('ab');
    proxy.cutAfter(3);
    client.socket.write('cdefg');
    assert.equal(await client.closed(), 'ECONNRESET');
    assert.equal(client.received, 'abcde');
    await dial(t, proxy.port).hears('longer than three');
  });

  test('closes or resets at once', async (t) => {
    const { proxy } = await start(t);
    proxy.closeOnAccept();
    const closed = dial(t, proxy.port);
    closed.socket.write('a');
    await closed.ended();
    closed.socket.end();
    assert.equal(await closed.closed(), undefined);
    proxy.resetOnAccept();
    assert.equal(await dial(t, proxy.port).closed(), 'ECONNRESET');
    assert.equal(proxy.accepted, 2);
  });

  test('resets what is open', async (t) => {
    const { proxy, peers } = await start(t);
    const client = dial(t, proxy.port);
    await client.hears('a');
    const [peer] = peers;
    assert.ok(peer);
    const peerFailed = once(peer, 'error').catch((error: NodeJS.ErrnoException) => [error]);
    proxy.resetAll();
    assert.equal(await client.closed(), 'ECONNRESET');
    assert.equal(((await peerFailed)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  test('delays each direction and keeps the order when the delay falls', async (t) => {
    const { proxy } = await start(t);
    const client = dial(t, proxy.port);
    await client.hears('0');
    proxy.delay(40);
    const startedAt = performance.now();
    client.socket.write('1');
    await client.receives('1');
    assert.ok(performance.now() - startedAt >= 78);
    client.socket.write('2');
    setImmediate(() => {
      proxy.delay(0);
      client.socket.write('3');
    });
    await client.receives('3');
    assert.equal(client.received, '0123');
  });

  test('resets clients while it has no target, or the target refuses', async (t) => {
    const proxy = await startFaultProxy({ target: undefined });
    t.after(() => proxy.close());
    assert.equal(await dial(t, proxy.port).closed(), 'ECONNRESET');
    proxy.setTarget('127.0.0.1', await servers.unusedPort());
    assert.equal(await dial(t, proxy.port).closed(), 'ECONNRESET');
  });

  test('takes a fixed port', async (t) => {
    const port = await servers.unusedPort();
    const proxy = await startFaultProxy({ target: undefined, port });
    t.after(() => proxy.close());
    assert.equal(proxy.port, port);
  });
});

describe('fault proxy on Kafka frames', { concurrency: 8 }, () => {
  test('shows whole requests, however they are cut into chunks', async (t) => {
    const { proxy } = await start(t);
    const seen: unknown[] = [];
    proxy.onRequest(({ apiKey, apiVersion, correlationId, payload }) => {
      seen.push([apiKey, apiVersion, correlationId, payload.length]);
    });
    const client = dial(t, proxy.port);
    const bytes = Buffer.concat([kafkaRequest(18, 1), kafkaRequest(3, 2, 'body')]);
    for (const part of [bytes.subarray(0, 3), bytes.subarray(3, 20), bytes.subarray(20)]) {
      client.socket.write(part);
      await silence();
    }
    await client.receives(bytes.toString('latin1'));
    assert.deepEqual(seen, [
      [18, 3, 1, 8],
      [3, 3, 2, 12],
    ]);
  });

  test('rewrites, swallows and cuts responses by the request they answer', async (t) => {
    const { proxy } = await start(t);
    await startKafkaLike(t, proxy);
    proxy.rewriteResponses((frame, request) => {
      if (request.apiKey === 1) return Buffer.concat([frame.subarray(0, 4), Buffer.from('other')]);
      if (request.apiKey === 2) return 'swallow';
      return request.apiKey === 3 ? 'cut' : undefined;
    });
    const client = dial(t, proxy.port);
    client.socket.write(Buffer.concat([0, 1, 2, 4].map((apiKey) => kafkaRequest(apiKey, 10 + apiKey))));
    await client.receives('\x00\x00\x00\x0eanswer');
    assert.deepEqual(client.received.match(/[a-z]+/g), ['answer', 'other', 'answer']);
    client.socket.write(kafkaRequest(3, 20));
    assert.equal(await client.closed(), 'ECONNRESET');
  });

  test('swallows and cuts requests', async (t) => {
    const { proxy } = await start(t);
    await startKafkaLike(t, proxy);
    proxy.onRequest(({ apiKey }) => (['forward', 'swallow', 'cut'] as const)[apiKey]);
    const client = dial(t, proxy.port);
    client.socket.write(Buffer.concat([kafkaRequest(1, 1), kafkaRequest(0, 2)]));
    await client.receives('\x00\x00\x00\x02answer');
    assert.ok(!client.received.includes('\x01answer'));
    client.socket.write(kafkaRequest(2, 3));
    assert.equal(await client.closed(), 'ECONNRESET');
  });

  test('hooks may come while a connection is idle; swallowed answers are then whole frames', async (t) => {
    const { proxy } = await start(t);
    await startKafkaLike(t, proxy);
    const client = dial(t, proxy.port);
    client.socket.write(kafkaRequest(1, 1));
    await client.receives('\x01answer');
    const seen: number[] = [];
    proxy.onRequest(({ correlationId }) => {
      seen.push(correlationId);
    });
    proxy.swallowAnswers(1);
    client.socket.write(Buffer.concat([kafkaRequest(1, 2), kafkaRequest(1, 3)]));
    await client.receives('\x03answer');
    assert.ok(!client.received.includes('\x02answer'));
    assert.deepEqual(seen, [2, 3]);
  });

  test('lets pass what is no Kafka', async (t) => {
    const { proxy } = await start(t);
    proxy.rewriteResponses(() => 'cut');
    const client = dial(t, proxy.port);
    await client.hears('\x16\x03\x01\x02\x00\x01 a TLS hello');
    await client.hears('and what follows it');
  });
});

describe('servers that are no broker', { concurrency: 8 }, () => {
  for (const [name, startServer, greeting, expected] of [
    ['HTTP', servers.startHttpServer, kafkaRequest(18, 1), 'HTTP/1.1 400'],
    ['SSH', servers.startSshServer, undefined, 'SSH-2.0'],
    ['SMTP', servers.startSmtpServer, undefined, '220 '],
  ] as const) {
    test(`${name} answers in its own way`, async (t) => {
      const server = await startServer();
      t.after(() => server.close());
      const client = dial(t, server.port);
      if (greeting) client.socket.write(greeting);
      await client.receives(expected);
    });
  }

  test('TLS with options of the caller', async (t) => {
    // Without a certificate an anonymous or pre-shared key must do: enough to see a handshake here.
    const psk = Buffer.from('0123456789abcdef');
    const ciphers = 'PSK';
    const server = await servers.startTlsServer({ ciphers, pskCallback: () => psk, maxVersion: 'TLSv1.2' });
    t.after(() => server.close());
    const client = connectTls({
      port: server.port,
      host: server.host,
      ciphers,
      maxVersion: 'TLSv1.2',
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ psk, identity: 'test' }),
    });
    t.after(() => client.destroy());
    await once(client, 'secureConnect');
  });

  test('a full accept queue leaves a connect without an answer', {
    skip: process.platform !== 'linux',
  }, async (t) => {
    const server = await servers.startFullListener();
    t.after(() => server.close());
    const client = dial(t, server.port);
    await silence();
    assert.equal(client.socket.connecting, true);
  });

  test('an unused port refuses', async (t) => {
    assert.equal(await dial(t, await servers.unusedPort()).closed(), 'ECONNREFUSED');
  });
});
