import { Socket } from 'node:net';
import { messageOf } from '../../../src/errors.ts';
import type { ClientOptions } from '../../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig } from '../../../src/kafka/connection/config.ts';
import {
  AuthenticationRefused,
  LoginBroken,
  RequestFailed,
} from '../../../src/kafka/connection/request-failed.ts';
import { Session } from '../../../src/kafka/connection/session.ts';
import { kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { type ApiVersion, apiVersionsRequest } from '../../../src/kafka/wire/api-versions.ts';
import { requestFrame } from '../../../src/kafka/wire/request.ts';
import { type Address, addressText } from '../../../src/variables.ts';
import { Broken, type Notice, type Passed } from '../ladder/ladder.ts';
import { type Asking, type Endpoint, question, type Run } from '../ladder/run.ts';
import { exchange } from '../probes/answer.ts';
import { dial } from '../probes/dial.ts';
import { optionsFor, shake } from '../probes/handshake.ts';
import { mechanismsOf } from '../probes/identify.ts';

const CORRELATION_ID = 1_263_948_356;

/** Logs in as every function does. A second address of the same broker shares the first one's login. */
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
  const session = adopt(socket, apiVersions, run);
  run.sessions.set(key, session);
  const notices = plainPasswordNotices(endpoint.address, run.connection);
  return { value: await session, ...(mechanism && { evidence: mechanism }), notices };
}

/** PLAIN and OAUTHBEARER are for encrypted connections (RFC 4616, section 6; RFC 7628, section 5). */
function plainPasswordNotices(address: Address, { securityProtocol, sasl }: ConnectionConfig): Notice[] {
  const mechanism = sasl?.mechanism ?? '';
  if (securityProtocol !== 'SASL_PLAINTEXT' || !['PLAIN', 'OAUTHBEARER'].includes(mechanism)) return [];
  const detail = `KAFKA_SASL_MECHANISM=${mechanism} with KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT`;
  return [{ warning: 'PASSWORD_IN_PLAIN', target: addressText(address), detail }];
}

async function adopt(socket: Socket, apiVersions: readonly ApiVersion[], run: Run): Promise<Session> {
  const { sasl } = run.options;
  if (sasl?.mechanism !== 'OAUTHBEARER') return adoptWith(run.options, socket, apiVersions, run);
  const { fetchToken, tokenEvidence } = await import('./token.ts');
  // Once a run, for all addresses.
  run.tokens ??= fetchToken(sasl, run);
  const { tokens, token } = await run.tokens;
  return adoptWith({ ...run.options, tokens }, socket, apiVersions, run).catch((error: unknown) => {
    const isRefused = error instanceof Broken && error.fault === 'SASL_BAD_CREDENTIALS';
    throw isRefused ? new Broken(error.fault, `${error.message}; ${tokenEvidence(token, sasl)}`) : error;
  });
}

async function adoptWith(
  options: ClientOptions,
  socket: Socket,
  apiVersions: readonly ApiVersion[],
  { deadline }: Run,
): Promise<Session> {
  try {
    return await Session.adopt(socket, apiVersions, options, deadline);
  } catch (error) {
    throw explain(error, options.sasl?.mechanism ?? '');
  }
}

function explain(error: unknown, mechanism: string): Broken {
  const message = messageOf(error);
  if (error instanceof AuthenticationRefused) return explainRefusal(error, mechanism);
  if (error instanceof LoginBroken) return new Broken('NOT_KAFKA', `no broker logs in like that: ${message}`);
  if (error instanceof RequestFailed && error.timedOut) {
    return new Broken(
      'TCP_SILENT',
      'ApiVersions was answered, but nothing after it: the login got no answer',
    );
  }
  return new Broken('TCP_RESET', `the connection was lost during the login (${message})`);
}

function explainRefusal({ code, message, mechanisms }: AuthenticationRefused, mechanism: string): Broken {
  switch (code) {
    case kafkaErrors.ILLEGAL_SASL_STATE:
      return new Broken(
        'SASL_NOT_ENABLED',
        'the broker answers ILLEGAL_SASL_STATE (34): this port takes no SASL',
      );
    case kafkaErrors.UNSUPPORTED_SASL_MECHANISM: {
      const offered = mechanisms.join(', ') || 'others, which it did not name';
      return new Broken('SASL_MECHANISM', `the broker does not offer ${mechanism}; it offers ${offered}`);
    }
    default:
      return new Broken('SASL_BAD_CREDENTIALS', `${mechanism} was refused: ${message}`);
  }
}

/** A broker that wants SASL answers ApiVersions without it, and hangs up on everything else. */
export async function explainHangUp(endpoint: Endpoint, run: Asking): Promise<Broken | undefined> {
  if (run.options.sasl) return undefined;
  const mechanisms = await askMechanisms(endpoint, run);
  if (!mechanisms?.length) return undefined;
  const evidence = 'ApiVersions was answered, then the broker hung up';
  return new Broken('SASL_MISSING', `${evidence}; it offers SASL ${mechanisms.join(', ')}`);
}

/** Undefined where the port doesn't answer. Nobody logs in. */
async function askMechanisms({ address, ip }: Endpoint, run: Asking): Promise<string[] | undefined> {
  const asking = question(run);
  const { clientId, deadline } = asking;
  const dialled = await dial(ip, address.port, asking);
  if (!dialled.socket) return undefined;
  const raw = dialled.socket;
  try {
    const socket = run.options.tls
      ? await shake(raw, optionsFor(address.host, run.options.tls), deadline)
      : raw;
    if (!(socket instanceof Socket)) return undefined;
    await exchange(socket, requestFrame(apiVersionsRequest(), CORRELATION_ID, clientId), deadline);
    return (await mechanismsOf(socket, asking))?.mechanisms;
  } finally {
    raw.on('error', () => {}).destroy();
  }
}
