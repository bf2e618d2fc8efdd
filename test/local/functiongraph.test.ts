import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Route, startGateway } from '../../local/functiongraph/gateway.ts';
import {
  type InvocationResult,
  type RuntimeOptions,
  startRuntime,
} from '../../local/functiongraph/runtime.ts';
import { startTimerTrigger } from '../../local/functiongraph/timer.ts';
import { buildOwn } from '../support/bundle.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { scratchFolder } from '../support/folders.ts';

const scratch = scratchFolder('functiongraph');

/** Writes a function's `index.js`, and a package file where `type` is given. */
function writeFunction(code: string, type?: string): string {
  const directory = mkdtempSync(join(scratch, 'function-'));
  writeFileSync(join(directory, 'index.js'), code);
  if (type) writeFileSync(join(directory, 'package.json'), JSON.stringify({ type }));
  return directory;
}

function startFunction(t: TestContext, code: string, options: Partial<RuntimeOptions> = {}) {
  const runtime = startRuntime({ directory: writeFunction(code), ...options });
  t.after(() => runtime.stop());
  return runtime;
}

describe('calling convention', { concurrency: 4 }, () => {
  const accepted = [
    ['two parameters, async', 'async (event, context) => event'],
    ['three parameters, callback', '(event, context, callback) => callback(null, event)'],
    ['a callback later', '(event, context, callback) => { setImmediate(callback, null, event) }'],
    ['a promise from a plain function', '(event, context) => Promise.resolve(event)'],
  ] as const;
  for (const [name, handler] of accepted) {
    test(`accepts ${name}`, async (t) => {
      const result = await startFunction(t, `exports.handler = ${handler}`).invoke({ a: 1 });
      assert.deepEqual(result.ok && result.result, { a: 1 });
    });
  }

  const refused = [
    ['one parameter', 'async (event) => 1', /^handler expect to have 2 or 3 parameters, but received 1$/],
    ['a rest parameter, as middy has', 'async (...all) => 1', /but received 0$/],
    ['a default parameter', 'async (event, context = {}) => 1', /but received 1$/],
    ['four parameters', '(a, b, c, d) => 1', /but received 4$/],
    ['something that is no function', '42', /is not a function/],
    ['callback()', '(event, context, callback) => callback()', /without null/],
    ['callback(undefined, x)', '(event, context, callback) => callback(undefined, 1)', /without null/],
    ['callback(error)', '(event, context, callback) => callback(new Error("no"))', /^no$/],
    ['callback("text")', '(event, context, callback) => callback("no")', /^no$/],
    ['a throw', '(event, context, callback) => { throw new Error("no") }', /^no$/],
    ['a thrown number', 'async (event, context) => { throw 7 }', /^7$/],
  ] as const;
  for (const [name, handler, message] of refused) {
    test(`fails for ${name}`, async (t) => {
      const result = await startFunction(t, `exports.handler = ${handler}`).invoke({});
      assert.ok(!result.ok);
      assert.match(result.error.errorMessage, message);
    });
  }

  test('describes a thrown error and stays warm', async (t) => {
    const runtime = startFunction(t, 'exports.handler = async (event, context) => { null.x }');
    const first = await runtime.invoke({});
    const second = await runtime.invoke({});
    assert.ok(!first.ok);
    assert.equal(first.error.errorType, 'TypeError');
    assert.match(first.error.stackTrace?.[1] ?? '', /index\.js/);
    assert.deepEqual([first.cold, second.cold], [true, false]);
  });

  test('hands over whatever JSON the event is', async (t) => {
    const runtime = startFunction(t, 'exports.handler = async (event, context) => [event]');
    for (const event of [null, 7, 'text', [1], { a: [] }, undefined]) {
      const result = await runtime.invoke(event);
      assert.deepEqual(result.ok && result.result, [event ?? null]);
    }
  });

  test('refuses a result that is too large or circular', async (t) => {
    const code = `exports.handler = async (event, context) => {
      if (typeof event === 'number') return 'x'.repeat(event);
      const circular = {};
      return (circular.self = circular);
    }`;
    const runtime = startFunction(t, code);
    // Two bytes of the limit are the string's quotes.
    assert.equal((await runtime.invoke(6_291_454)).ok, true);
    const large = await runtime.invoke(6_291_455);
    const circular = await runtime.invoke({});
    assert.deepEqual(!large.ok && large.error.errorCode, 4004);
    assert.deepEqual(!circular.ok && circular.error.errorCode, 4007);
  });

  test('refuses an ES module', async (t) => {
    for (const type of ['module', undefined]) {
      const directory = writeFunction('export const handler = async (event, context) => 1;', type);
      const result = await startFunction(t, '', { directory }).invoke({});
      assert.equal(result.ok, false, `type ${type}`);
    }
  });
});

describe('initializer', { concurrency: 4 }, () => {
  test('runs once an instance, before the first call', async (t) => {
    const code = `let runs = 0;
      exports.initializer = (context, callback) => { runs++; callback(null, ''); };
      exports.handler = async (event, context) => runs;`;
    const runtime = startFunction(t, code, { initializer: 'index.initializer' });
    const first = await runtime.invoke({});
    const second = await runtime.invoke({});
    assert.deepEqual([first.ok && first.result, second.ok && second.result], [1, 1]);
    assert.deepEqual([first.cold, second.cold], [true, false]);
  });

  test('may be async, and has exactly two parameters', async (t) => {
    const handler = 'exports.handler = async (event, context) => ready; let ready = false;';
    const initializer = 'index.initializer';
    const good = `${handler} exports.initializer = async (context, callback) => { ready = true };`;
    const bad = `${handler} exports.initializer = async (context) => {};`;
    const result = await startFunction(t, good, { initializer }).invoke({});
    assert.equal(result.ok && result.result, true);
    const refused = await startFunction(t, bad, { initializer }).invoke({});
    assert.match(!refused.ok ? refused.error.errorMessage : '', /2 parameters, but received 1$/);
  });

  test('a failed one fails the call; the next call starts afresh', async (t) => {
    const marker = join(scratch, 'initializer-failed-once');
    const code = `const { existsSync, writeFileSync } = require('node:fs');
      exports.initializer = async (context, callback) => {
        if (existsSync('${marker}')) return;
        writeFileSync('${marker}', '');
        throw new Error('not yet');
      };
      exports.handler = async (event, context) => 'ready';`;
    const runtime = startFunction(t, code, { initializer: 'index.initializer' });
    const first = await runtime.invoke({});
    const second = await runtime.invoke({});
    assert.deepEqual(!first.ok && [first.error.errorMessage, first.error.errorCode], ['not yet', 4201]);
    assert.deepEqual([second.ok && second.result, second.cold], ['ready', true]);
  });

  test('has a time-out of its own', async (t) => {
    const code = `exports.initializer = (context, callback) => {};
      exports.handler = async (event, context) => 1;`;
    const options = { initializer: 'index.initializer', initializerTimeoutMs: 300 };
    const result = await startFunction(t, code, options).invoke({});
    assert.equal(!result.ok && result.error.errorCode, 4211);
  });
});

describe('context and environment', { concurrency: 4 }, () => {
  test('user data comes through getUserData alone', async (t) => {
    process.env.FUNCTIONGRAPH_TEST_LEAK = 'leak';
    t.after(() => delete process.env.FUNCTIONGRAPH_TEST_LEAK);
    const code = `exports.handler = async (event, context) => ({
      known: context.getUserData('USER'), secret: context.getUserData('SECRET'),
      missing: context.getUserData('toString') === undefined,
      environment: process.env, argv: process.argv.join(' '), channel: typeof process.send,
    })`;
    const userData = { USER: 'orders-user' };
    const encryptedUserData = { SECRET: 'orders-secret' };
    const result = await startFunction(t, code, { userData, encryptedUserData }).invoke({});
    assert.ok(result.ok);
    const { known, secret, missing, channel, ...rest } = result.result as Record<string, unknown>;
    assert.deepEqual([known, secret, missing, channel], ['orders-user', 'orders-secret', true, 'undefined']);
    assert.doesNotMatch(JSON.stringify(rest), /orders-|leak|NODE_OPTIONS|NODE_TEST/);
    assert.match(JSON.stringify(rest), /RUNTIME_CODE_ROOT/);
  });

  test('user data has the platform limits', () => {
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`K${i}`, 'v']));
    assert.throws(() => startRuntime({ directory: '.', userData: many }), /21 entries/);
    assert.throws(() => startRuntime({ directory: '.', userData: { K: 'v'.repeat(4096) } }), /4097/);
  });

  test('the context has the documented methods, with their slips', async (t) => {
    const code = `exports.handler = async (event, context) => ({
      id: context.getRequestID(), memory: context.getMemorySize(), limit: context.getRunningTimeInSeconds(),
      remaining: context.getRemainingTimeInMilliSeconds(), name: context.getFunctionName(),
      aws: typeof context.getRemainingTimeInMillis, logger: Object.keys(context.getLogger()).sort().join(),
    })`;
    const runtime = startFunction(t, code, { memoryMb: 512, timeoutMs: 9000, functionName: 'produce' });
    const result = await runtime.invoke({}, { requestId: 'request-1' });
    assert.ok(result.ok);
    const { remaining, ...rest } = result.result as Record<string, unknown>;
    assert.deepEqual(rest, {
      id: 'request-1',
      memory: '512',
      limit: 9000,
      name: 'produce',
      aws: 'undefined',
      logger: 'debug,error,info,setLevel,warn',
    });
    assert.ok(Number(remaining) > 8000 && Number(remaining) <= 9000);
  });

  test('output is tagged with the request id; the file descriptor bypasses that', async (t) => {
    const lines: string[] = [];
    const code = `exports.handler = async (event, context) => {
      console.log('one\\ntwo'); console.error('three'); context.getLogger().info('four %d', 4);
      process.stdout.write('five'); require('node:fs').writeSync(1, 'raw\\n');
    }`;
    const runtime = startFunction(t, code, { onLog: (line) => lines.push(line) });
    const { logs } = await runtime.invoke({}, { requestId: 'id' });
    await runtime.stop();
    const tagged = ['id one', 'id two', 'id three', 'id INFO four 4', 'id five'];
    assert.deepEqual(
      logs.filter((line) => line !== 'raw'),
      tagged,
    );
    assert.ok(lines.includes('raw'));
  });
});

/** A function that echoes, between its calls, what it hears on a socket: silence is the sign of being frozen. */
async function startEcho(t: TestContext, options: Partial<RuntimeOptions> = {}) {
  const peer = createServer().listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const connected = once(peer, 'connection') as Promise<[Socket]>;
  const code = `exports.handler = (event, context, callback) => {
    if (event === null) return setTimeout(callback, 50, null);
    const socket = require('node:net').connect(event, '127.0.0.1', () => callback(null));
    socket.pipe(socket);
  };`;
  const runtime = startFunction(t, code, options);
  await runtime.invoke((peer.address() as AddressInfo).port);
  const [socket] = await connected;
  t.after(() => peer.close());
  t.after(() => socket.destroy());
  return {
    runtime,
    async echo(text: string) {
      socket.write(text);
      return String(await once(socket, 'data'));
    },
    async isSilent(echoed: Promise<unknown>) {
      const silence = new Promise((resolve) => setTimeout(resolve, 50, 'silence'));
      return (await Promise.race([echoed, silence])) === 'silence';
    },
  };
}

describe('instances', { concurrency: 4 }, () => {
  const counter = 'let calls = 0; exports.handler = async (event, context) => ++calls;';

  test('a call past its time-out fails, and the next one gets a new instance', async (t) => {
    const code = `exports.handler = async (event, context) => {
      if (event === 'spin') for (;;);
      if (event === 'hang') await new Promise(() => setInterval(() => {}, 1000));
      return process.pid;
    }`;
    const runtime = startFunction(t, code);
    const pids = new Set<unknown>();
    for (const event of ['spin', 'hang']) {
      const before = await runtime.invoke({});
      const late = await runtime.invoke(event, { timeoutMs: 100 });
      assert.equal(!late.ok && late.error.errorCode, 4010);
      const next = await runtime.invoke({});
      assert.ok(before.ok && next.ok && next.cold);
      pids.add(before.result).add(next.result);
    }
    assert.equal(pids.size, 3);
  });

  for (const [name, statement, message] of [
    ['process.exit', 'process.exit(3)', /exited with code 3/],
    ['an uncaught exception', 'setImmediate(() => { throw new Error("lost") })', /^lost$/],
    ['an unhandled rejection', 'Promise.reject(new Error("lost"))', /^lost$/],
    ['a signal', 'process.kill(process.pid, "SIGKILL")', /exited on SIGKILL/],
  ] as const) {
    test(`${name} ends the call and the instance`, async (t) => {
      const code = `exports.handler = (event, context, callback) => {
        console.log('last words');
        if (event === 'die') ${statement}; else callback(null, 'alive');
      }`;
      const runtime = startFunction(t, code);
      const dead = await runtime.invoke('die', { requestId: 'id' });
      assert.match(dead.ok ? '' : dead.error.errorMessage, message);
      if (name !== 'a signal') assert.ok(dead.logs.includes('id last words'));
      const next = await runtime.invoke({});
      assert.deepEqual([next.ok && next.result, next.cold], ['alive', true]);
    });
  }

  test('calls wait their turn, in order', async (t) => {
    const runtime = startFunction(t, counter);
    const results = await Promise.all([1, 2, 3].map(() => runtime.invoke({})));
    assert.deepEqual(
      results.map((result) => [result.ok && result.result, result.cold]),
      [
        [1, true],
        [2, false],
        [3, false],
      ],
    );
  });

  test('more instances run calls side by side', async (t) => {
    const code = 'exports.handler = async (event, context) => process.pid;';
    const runtime = startFunction(t, code, { instances: 2 });
    const results = await Promise.all([runtime.invoke({}), runtime.invoke({})]);
    assert.equal(new Set(results.map((result) => result.ok && result.result)).size, 2);
  });

  test('a frozen instance does nothing until it is thawed, by hand or by a call', async (t) => {
    const { runtime, echo, isSilent } = await startEcho(t);
    await echo('warm');
    for (const thaw of [() => runtime.thaw(), () => runtime.invoke(null)]) {
      runtime.freeze();
      const echoed = echo('late');
      assert.ok(await isSilent(echoed));
      await thaw();
      assert.equal(await echoed, 'late');
    }
  });

  test('an instance can be frozen between its calls', async (t) => {
    const { runtime, echo, isSilent } = await startEcho(t, { freezeBetweenCalls: true });
    const echoed = echo('late');
    assert.ok(await isSilent(echoed));
    assert.equal((await runtime.invoke(null)).ok, true);
    assert.equal(await echoed, 'late');
  });

  test('stop fails the call that runs and refuses those that wait', async (t) => {
    let sayStarted = () => {};
    const started = new Promise<void>((resolve) => {
      sayStarted = resolve;
    });
    const code = 'exports.handler = (event, context, callback) => console.log("started")';
    const runtime = startFunction(t, code, { onLog: () => sayStarted() });
    const running = runtime.invoke({});
    // The assertion is attached before the rejection comes.
    const refused = assert.rejects(runtime.invoke({}), /stopped/);
    await started;
    await runtime.stop();
    assert.equal((await running).ok, false);
    await refused;
    assert.equal(runtime.pid(), undefined);
  });

  test('nothing starts once stop was called', async (t) => {
    const runtime = startFunction(t, counter);
    const refused = assert.rejects(runtime.invoke({}), /stopped/);
    await runtime.stop();
    await refused;
    assert.equal(runtime.pid(), undefined);
  });
});

test('instances die with a parent that was killed, idle, frozen or spinning', async (t) => {
  const peer = createServer().listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const sockets: Promise<unknown>[] = [];
  const allConnected = new Promise<void>((resolve) => {
    peer.on('connection', (socket) => {
      socket.on('error', () => {});
      sockets.push(once(socket.resume(), 'close'));
      if (sockets.length === 3) resolve();
    });
  });
  t.after(() => peer.close());

  // Each instance holds a connection to this test: its close tells that the process is gone.
  const directory = writeFunction(`exports.handler = async (event, context) => {
    const socket = require('node:net').connect(event.port, '127.0.0.1');
    await require('node:events').once(socket, 'connect');
    if (event.spin) for (;;);
  };`);
  const runtimeUrl = new URL('../../local/functiongraph/runtime.ts', import.meta.url).href;
  const { port } = peer.address() as AddressInfo;
  const program = `
    import { startRuntime } from '${runtimeUrl}';
    const [idle, frozen, spinning] = [0, 1, 2].map(() => startRuntime({ directory: ${JSON.stringify(directory)} }));
    await idle.invoke({ port: ${port} });
    await frozen.invoke({ port: ${port} });
    frozen.freeze();
    spinning.invoke({ port: ${port}, spin: true });
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await allConnected;
  parent.kill('SIGKILL');
  await Promise.all(sockets);
});

describe('gateway', () => {
  async function start(t: TestContext, code: string, route: Partial<Route> = {}, options = {}) {
    const log: string[] = [];
    const runtime = startFunction(t, code);
    const routes = [{ runtime, ...route }];
    const gateway = await startGateway({ port: 0, routes, onLog: (line) => log.push(line), ...options });
    t.after(() => gateway.close());
    return { url: gateway.url, log };
  }

  const echo = `exports.handler = async (event, context) => ({
    statusCode: 200, headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event), isBase64Encoded: false,
  })`;

  test('turns a request into the APIG event', async (t) => {
    const { url } = await start(t, echo, { prefix: '/topics/' });
    const response = await fetch(`${url}/topics/orders/a%2Fb?a=1&a=2&b=x%20y`, {
      method: 'POST',
      headers: { 'X-Trace': 'T', 'Content-Type': 'application/json' },
      body: '{"a":1}',
    });
    const event = (await response.json()) as Record<string, unknown>;
    const { headers, requestContext, ...rest } = event as {
      headers: Record<string, string>;
      requestContext: Record<string, string>;
    };
    assert.deepEqual(rest, {
      body: Buffer.from('{"a":1}').toString('base64'),
      queryStringParameters: { a: ['1', '2'], b: 'x y' },
      httpMethod: 'POST',
      pathParameters: { '': 'orders/a%2Fb' },
      path: '/topics/orders/a%2Fb',
      isBase64Encoded: true,
    });
    assert.equal(headers['x-trace'], 'T');
    assert.equal(headers['x-real-ip'], '127.0.0.1');
    assert.equal(requestContext.stage, 'RELEASE');
    assert.equal(requestContext.requestId, response.headers.get('x-request-id'));
  });

  test('an empty body is base64 as well, a fixed path has no parameters', async (t) => {
    const { url } = await start(t, echo, { path: '/check' });
    const event = (await (await fetch(`${url}/check`)).json()) as Record<string, unknown>;
    assert.deepEqual([event.body, event.isBase64Encoded, event.pathParameters], ['', true, {}]);
    assert.equal((await fetch(`${url}/check/more`)).status, 404);
  });

  test('sends a binary answer as it is, under its own framing', async (t) => {
    const code = `exports.handler = async (event, context) => ({
      statusCode: 201, headers: { 'X-A': 'b', 'content-length': '99' }, body: '/wA=', isBase64Encoded: true,
    })`;
    const { url } = await start(t, code);
    const response = await fetch(url);
    assert.deepEqual([response.status, response.headers.get('x-a')], [201, 'b']);
    assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [255, 0]);
  });

  test('a route may replace the event', async (t) => {
    const { url } = await start(t, echo, { toEvent: () => ({}) });
    assert.deepEqual(await (await fetch(url)).json(), {});
  });

  for (const [name, answer] of [
    ['a plain object', '({ ok: true })'],
    ['nothing', 'undefined'],
    ['an object as body', '({ statusCode: 200, headers: {}, body: {}, isBase64Encoded: false })'],
    ['no isBase64Encoded', '({ statusCode: 200, headers: {}, body: "" })'],
    ['a number as header', '({ statusCode: 200, headers: { a: 1 }, body: "", isBase64Encoded: false })'],
    [
      'a line end in a header',
      '({ statusCode: 200, headers: { a: "b\\r\\nc: d" }, body: "", isBase64Encoded: false })',
    ],
    ['a throw', '(() => { throw new Error("broken") })()'],
  ] as const) {
    test(`answers 500 for ${name}`, async (t) => {
      const { url, log } = await start(t, `exports.handler = async (event, context) => ${answer}`);
      const response = await fetch(url);
      assert.equal(response.status, 500);
      assert.equal(((await response.json()) as { error_code: string }).error_code, 'APIG.0601');
      assert.equal(log.length, 1);
      if (name === 'a throw') assert.match(log[0] ?? '', /broken/);
    });
  }

  test('answers 504 for a slow function and 413 for a large body', async (t) => {
    const code = `exports.handler = (event, context, callback) => {}`;
    const { url } = await start(t, code, {}, { timeoutMs: 100, maxBodyBytes: 1000 });
    assert.equal((await fetch(url)).status, 504);
    assert.equal((await fetch(url, { method: 'POST', body: 'x'.repeat(1001) })).status, 413);
  });

  test('close ends open connections', async (t) => {
    const runtime = startFunction(t, 'exports.handler = (event, context, callback) => {}');
    const gateway = await startGateway({ port: 0, routes: [{ runtime }] });
    const request = httpRequest(gateway.url);
    const failed = once(request, 'error');
    request.end();
    await once(request, 'finish');
    await gateway.close();
    await failed;
  });
});

describe('timer trigger', () => {
  const echo = 'exports.handler = async (event, context) => event;';

  test('fires the documented event', async (t) => {
    const runtime = startFunction(t, echo);
    const timer = startTimerTrigger({ runtime, everyMs: 60_000, name: 'Timer_001', userEvent: '{"a":1}' });
    t.after(() => timer.stop());
    const result = await timer.fire();
    const { time, ...rest } = (result.ok && result.result) as { time: string };
    assert.deepEqual(rest, {
      version: 'v1.0',
      trigger_type: 'TIMER',
      trigger_name: 'Timer_001',
      user_event: '{"a":1}',
    });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
  });

  test('a check that fails leaves its line, and the rhythm goes on', async (t) => {
    const [built] = await buildOwn({ functions: ['connectivity-check'], outdir: join(scratch, 'dist') });
    const lines: string[] = [];
    const runtime = startRuntime({
      directory: built?.directory ?? '',
      userData: {
        KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await unusedPort()}`,
        KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT',
      },
      onLog: (line) => lines.push(line),
    });
    t.after(() => runtime.stop());
    const messages: string[] = [];
    await new Promise<void>((resolve) => {
      const onResult = (result: InvocationResult) => {
        messages.push(result.ok ? 'ok' : result.error.errorMessage);
        if (messages.length === 2) resolve();
      };
      const timer = startTimerTrigger({ runtime, everyMs: 5, name: 'check', onResult });
      t.after(() => timer.stop());
    });
    for (const message of messages) assert.match(message, /^TCP_REFUSED at 127\.0\.0\.1:\d+: /);
    const shown = lines.filter((line) => line.includes('"fault":"TCP_REFUSED"'));
    assert.ok(shown.length >= 2, lines.join('\n'));
  });

  test('fires in its rhythm until stopped', async (t) => {
    const runtime = startFunction(t, echo);
    let fired = 0;
    await new Promise<void>((resolve) => {
      const onResult = () => {
        fired += 1;
        if (fired === 2) resolve();
      };
      const timer = startTimerTrigger({ runtime, everyMs: 5, name: 'tick', onResult });
      t.after(() => timer.stop());
    });
    assert.ok(fired >= 2);
  });
});
