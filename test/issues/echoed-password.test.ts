/**
 * Found 2026-11-27 (A10): a broker that repeats the password in its refusal got it into a log line. So could
 * one that writes it in base64, or as a URL does.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { listening } from '../support/http.ts';
import { numbered, publish, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';
import { outputsOfCheck, outputsOfProduce, plainLogin, startRefusingBroker } from './rogue-words.ts';

const cluster = await sharedCluster();
const username = 'app.one+(two)';
const password = 'pass word/?&=+[$.*]ü';
const inBase64 = (text: string) => Buffer.from(text).toString('base64');
const echoes: Record<string, string> = {
  'as it is': password,
  'in base64': inBase64(password),
  'in base64url': Buffer.from(password).toString('base64url'),
  'as a URL has it': encodeURIComponent(password),
  'the whole message in base64': inBase64(`\0${username}\0${password}`),
};

for (const [what, echo] of Object.entries(echoes)) {
  test(`a broker that repeats the password, ${what}: nothing holds it`, async (t) => {
    const broker = await startRefusingBroker((sent) => {
      assert.ok(sent.includes(password));
      return `refused: ${echo}, said twice: ${echo}!`;
    });
    t.after(() => broker.close());
    const variables = plainLogin(broker.port, { username, password });
    const outputs = {
      ...(await outputsOfCheck(variables)),
      ...(what === 'as it is' && (await outputsOfProduce(variables, { records: [{ value: 1 }] }))),
    };
    for (const [name, output] of Object.entries(outputs)) {
      const part = echo.slice(0, 12);
      assert.ok(
        !output.includes(part) && !output.includes(JSON.stringify(part).slice(1, -1)),
        `${name}: ${output}`,
      );
    }
    assert.match(outputs.doctor ?? '', /refused: \[redacted\], said twice: \[redacted\]!/);
  });
}

for (const status of [200, 400, 401, 500]) {
  test(`an http sink that answers ${status} and repeats its credentials: no line and no dead letter holds them`, async (t) => {
    const token = 'Bearer a-token-of-its-own';
    const server = createServer((request, response) => {
      request.resume();
      const echo = request.headers.authorization ?? '';
      response.statusMessage = echo;
      response.writeHead(status, { 'x-echo': echo }).end(JSON.stringify({ failures: [echo], error: echo }));
    });
    const url = `http://127.0.0.1:${await listening(server)}/in?key=a-key-of-its-own`;
    t.after(() => server.close());
    const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
    await publish(cluster, topic, numbered(2));
    const sink = {
      name: 'http',
      url,
      headers: { authorization: new Secret(token) },
      format: 'json',
    } as const;
    const { pull, log } = newConsumer(cluster, topic, { sink });
    const answer = await pull().catch(String);
    const dead = await readTopic(cluster, `${topic}.dead-letter`);
    const headers = dead.map((record) => Object.values(record.headers).map(String));
    const lines = log.lines.map(({ message, fields }) => [message, fields, ...errorsIn(fields)]);
    const all = JSON.stringify([answer, lines, headers]);
    assert.match(all, /the sink/);
    assert.ok(!/of-its-own/.test(all), all);
  });
}

/** Every message and stack among the fields, causes included. */
function errorsIn(fields: Record<string, unknown> = {}): string[] {
  const texts: string[] = [];
  for (const value of Object.values(fields)) {
    for (let e: unknown = value; e instanceof Error; e = e.cause) texts.push(e.message, String(e.stack));
  }
  return texts;
}
