import type { Socket } from 'node:net';
import { AuthenticationRefused, RequestFailed, Session } from '../../src/kafka/session.ts';
import { type ApiVersion, apiVersionsFrame } from '../../src/kafka/wire/api-versions.ts';
import { exchange } from './answer.ts';
import { dial } from './dial.ts';
import { mechanismsOf } from './identify.ts';
import { Broken, type Passed } from './ladder.ts';
import { type Endpoint, question, type Run } from './run.ts';
import { secure } from './tls.ts';

const UNSUPPORTED_SASL_MECHANISM = 33;
const ILLEGAL_SASL_STATE = 34;
const CORRELATION_ID = 1_263_948_356;

/**
 * Hands the socket to the shared connection module, which logs in as every function does; where this
 * broker was logged in to before in this run, that connection is taken instead.
 */
export async function logIn(
  socket: Socket,
  apiVersions: readonly ApiVersion[],
  endpoint: Endpoint,
  run: Run,
): Promise<Passed<Session>> {
  const key = `${endpoint.ip} ${endpoint.address.port}`;
  const known = run.sessions.get(key);
  const mechanism = run.options.sasl?.mechanism;
  if (known) {
    socket.destroy();
    const session = await known;
    return { value: session, evidence: 'logged in once, by another name of this address' };
  }
  const session = adopt(socket, apiVersions, endpoint, run);
  run.sessions.set(key, session);
  return { value: await session, ...(mechanism && { evidence: mechanism }) };
}

async function adopt(
  socket: Socket,
  apiVersions: readonly ApiVersion[],
  endpoint: Endpoint,
  run: Run,
): Promise<Session> {
  const { address } = endpoint;
  const { log, deadline, options } = run;
  try {
    return await Session.adopt(socket, { address, apiVersions }, options, { log, deadline });
  } catch (error) {
    throw await explain(error, endpoint, run);
  }
}

async function explain(error: unknown, endpoint: Endpoint, run: Run): Promise<Broken> {
  const cause = error instanceof AuthenticationRefused ? error.cause : error;
  const { code, message } = describe(cause);
  const mechanism = run.options.sasl?.mechanism ?? '';
  if (code === ILLEGAL_SASL_STATE) {
    return new Broken(
      'SASL_NOT_ENABLED',
      'the broker answers ILLEGAL_SASL_STATE (34): this port takes no SASL',
    );
  }
  if (code === UNSUPPORTED_SASL_MECHANISM || /mechanism is not supported/.test(message)) {
    const offered = (await askMechanisms(endpoint, run))?.join(', ') || 'others, which it did not name';
    return new Broken('SASL_MECHANISM', `the broker does not offer ${mechanism}; it offers ${offered}`);
  }
  if (error instanceof AuthenticationRefused) {
    return new Broken('SASL_BAD_CREDENTIALS', `${mechanism} was refused: ${withoutSecrets(message, run)}`);
  }
  if (error instanceof RequestFailed && error.timedOut) {
    return new Broken(
      'TCP_SILENT',
      'ApiVersions was answered, but nothing after it: the login got no answer',
    );
  }
  return new Broken('TCP_RESET', `the connection was lost during the login (${message})`);
}

/** Without SASL, a broker that wants it answers ApiVersions and hangs up on everything else. */
export async function explainHangUp(endpoint: Endpoint, run: Run): Promise<Broken | undefined> {
  if (run.options.sasl) return undefined;
  const mechanisms = await askMechanisms(endpoint, run);
  if (!mechanisms?.length) return undefined;
  const evidence = 'ApiVersions was answered, then the broker hung up';
  return new Broken('SASL_MISSING', `${evidence}; it offers SASL ${mechanisms.join(', ')}`);
}

/** Undefined where the port doesn't answer; nobody tries to log in. */
async function askMechanisms({ address, ip }: Endpoint, run: Run): Promise<string[] | undefined> {
  const asking = question(run);
  const { clientId, deadline } = asking;
  const dialled = await dial(ip, address.port, asking);
  if (!dialled.socket) return undefined;
  const raw = dialled.socket;
  try {
    const socket = run.options.tls ? await secure(raw, address.host, run.options.tls, deadline) : raw;
    if (!socket) return undefined;
    await exchange(socket, apiVersionsFrame(CORRELATION_ID, clientId), deadline);
    return (await mechanismsOf(socket, asking))?.mechanisms;
  } finally {
    raw.on('error', () => {}).destroy();
  }
}

function describe(error: unknown): { code: unknown; message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  return { code: 'code' in error ? error.code : undefined, message: error.message };
}

/** A broker's own words could repeat what it was sent. */
function withoutSecrets(text: string, { options: { sasl } }: Run): string {
  const secrets = [sasl?.password.reveal(), sasl?.username].filter((secret) => secret !== undefined);
  return secrets.reduce((cleaned, secret) => cleaned.replaceAll(secret, '[redacted]'), text);
}
