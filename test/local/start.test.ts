import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../local/kafka/ports.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function npmStart(port: string) {
  const child = spawn(process.execPath, ['local/run.mjs', 'local/start.ts'], {
    cwd: ROOT,
    env: { ...process.env, PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  after(() => child.kill('SIGKILL'));
  let output = '';
  const readers = new Set<() => void>();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
      for (const read of readers) read();
    });
  }
  return {
    child,
    ended,
    output: () => output,
    /** Resolves once the output has it; rejects where the process ends before. */
    until: (text: string) =>
      new Promise<void>((resolve, reject) => {
        const read = () => {
          if (!output.includes(text)) return;
          readers.delete(read);
          resolve();
        };
        readers.add(read);
        void ended.then(() => reject(new Error(`ended without "${text}":\n${output}`)));
        read();
      }),
  };
}

test('npm start: what is published is delivered to consume-batch, and Ctrl-C ends all of it', async () => {
  const [port = 0] = await freePorts(1);
  const { child, ended, until, output } = npmStart(`${port}`);
  await until('Ready.');
  const publish = (value: unknown, headers = {}) =>
    fetch(`http://127.0.0.1:${port}/topics/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ records: [{ key: 'a', value }] }),
    });
  assert.equal((await publish({ total: -5 })).status, 200);
  await until('a record was dead-lettered');
  assert.equal((await publish({ id: '1', total: 5 })).status, 200);
  await until('"processed":1');
  assert.equal((await publish({ id: '2' }, { origin: 'https://evil.example' })).status, 403);
  child.kill('SIGINT');
  assert.equal(await ended, 0, output());
});

test('npm start: a port that is no port is named before anything is started', async () => {
  const { ended, output } = npmStart('abc');
  assert.equal(await ended, 1);
  assert.match(output(), /PORT must be a port number/);
});
