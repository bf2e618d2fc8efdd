/** A broker that says what it should not: characters that terminals obey, and the password that it was sent. */

import { handler } from '../../functions/connectivity-check/index.ts';
import { handler as produce } from '../../functions/produce/index.ts';
import { array, int16, int32, string } from '../../local/kafka/wire.ts';
import type { PlatformContext } from '../../src/platform/context.ts';
import type { Variables } from '../support/check.ts';
import {
  type Answer,
  METADATA,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
  startSketchBroker,
} from '../support/faults/sketch-broker.ts';
import { runScript } from '../support/processes.ts';

const SASL_AUTHENTICATION_FAILED = 58;

/** Everything at which somebody may look, by what it is. */
export type Outputs = Record<string, string>;

/** A broker that refuses PLAIN with these words about what it was sent. */
export function startRefusingBroker(words: (sent: Buffer) => string) {
  const refuse: Answer = (body) =>
    Buffer.concat([int16(SASL_AUTHENTICATION_FAILED), string(words(body)), int32(0), Buffer.alloc(8)]);
  return startSketchBroker({
    answers: {
      [METADATA]: () => undefined,
      [SASL_HANDSHAKE]: () => Buffer.concat([int16(0), array([string('PLAIN')])]),
      [SASL_AUTHENTICATE]: refuse,
    },
  });
}

export function plainLogin(
  port: number,
  { username, password }: { username: string; password: string },
): Variables {
  return {
    KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${port}`,
    KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
    KAFKA_SASL_MECHANISM: 'PLAIN',
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
    LOG_LEVEL: 'debug',
  };
}

/** The check in all its forms. */
export async function outputsOfCheck(variables: Variables): Promise<Outputs> {
  const outputs: Outputs = {
    doctor: await doctor(variables),
    'doctor --json': await doctor(variables, '--json'),
  };
  for (const format of ['json', 'html', 'prometheus']) {
    const event = request('GET', '/connectivity-check', { format });
    outputs[format] = await logged(outputs, `log of ${format}`, () => call(handler, event, variables));
  }
  outputs.timer = await logged(outputs, 'log of timer', () =>
    call(
      handler,
      {
        version: 'v1.0',
        time: '2026-12-01T00:00:00Z',
        trigger_type: 'TIMER',
        trigger_name: 't',
        user_event: '',
      },
      variables,
    ).catch((error: Error) => error.message),
  );
  return outputs;
}

/** Publishing what this body holds. */
export async function outputsOfProduce(variables: Variables, body: unknown): Promise<Outputs> {
  const outputs: Outputs = {};
  const event = { ...request('POST', '/topics/orders'), body: JSON.stringify(body) };
  outputs.answer = await logged(outputs, 'log', () => call(produce, event, variables));
  return outputs;
}

function request(httpMethod: string, path: string, queryStringParameters: Record<string, string> = {}) {
  const headers = { 'content-type': 'application/json' };
  return {
    httpMethod,
    path,
    queryStringParameters,
    headers,
    body: '',
    isBase64Encoded: false,
    requestContext: {},
  };
}

async function call(
  handle: (event: unknown, context: PlatformContext) => Promise<unknown>,
  event: unknown,
  variables: Variables,
): Promise<string> {
  const answer = await handle(event, {
    getRequestID: () => 'a-request',
    getRemainingTimeInMilliSeconds: () => 5_000,
    getUserData: (name) => variables[name],
  });
  return (answer as { body?: string }).body ?? JSON.stringify(answer);
}

/** What is written to the console meanwhile, byte for byte. */
async function logged<T>(outputs: Outputs, name: string, work: () => Promise<T>): Promise<T> {
  const lines: string[] = [];
  const keep = (line: string) => lines.push(line);
  const { debug, info, warn, error } = console;
  Object.assign(console, { debug: keep, info: keep, warn: keep, error: keep });
  try {
    return await work();
  } finally {
    Object.assign(console, { debug, info, warn, error });
    for (const line of lines) JSON.parse(line);
    outputs[name] = lines.join('\n');
  }
}

async function doctor(variables: Variables, ...args: string[]): Promise<string> {
  const env = { ...process.env, ...variables };
  return (await runScript('functions/connectivity-check/doctor.ts', args, env)).output;
}
