import type { Socket } from 'node:net';
import { type ConnectionOptions, TLSSocket } from 'node:tls';
import { kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { apiVersionsRequest, readApiVersions } from '../../../src/kafka/wire/api-versions.ts';
import { requestFrame } from '../../../src/kafka/wire/request.ts';
import { saslHandshakeRequest } from '../../../src/kafka/wire/sasl.ts';
import type { Fault } from '../faults.ts';
import { exchange, languageOf, quote } from './answer.ts';
import { type Dialled, type DialOptions, dial } from './dial.ts';
import { shake } from './handshake.ts';

const CORRELATION_ID = 1_263_948_353;
/** Security level 0 allows old versions of the protocol, because only the answer matters here. */
const ANY_TLS: ConnectionOptions = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' };

/** The service behind a port, as far as that can be told without a credential. */
export interface Identity {
  language:
    | 'kafka'
    | 'tls'
    | 'http'
    | 'ssh'
    | 'smtp'
    | 'unknown'
    | 'closed'
    | 'reset'
    | 'silent'
    | 'unreachable';
  /** For a reader: `Kafka without TLS, with SASL (PLAIN, SCRAM-SHA-512)`. */
  text: string;
  fault?: Fault;
  /** Undefined where it was not asked or not answered; empty where the port takes no SASL. */
  mechanisms?: string[];
  ms: number;
}

export interface Question extends DialOptions {
  clientId: string;
}

/** Speaks Kafka without TLS to a port, and tells what answered. */
export async function identify(ip: string, port: number, question: Question): Promise<Identity> {
  const { clientId, deadline } = question;
  const as = stopwatch();
  const dialled = await dial(ip, port, question);
  if (!dialled.socket) return as(unreachable(dialled));
  const { socket } = dialled;
  try {
    const answer = await exchange(
      socket,
      requestFrame(apiVersionsRequest(), CORRELATION_ID, clientId),
      deadline,
    );
    switch (answer.kind) {
      case 'kafka': {
        if (!readApiVersions(answer.body))
          return as({ language: 'unknown', text: 'something that is not Kafka' });
        return as(await kafkaIdentity(socket, 'without TLS', question));
      }
      case 'foreign':
        return as(foreignIdentity(answer.bytes));
      case 'closed':
        return as({ language: 'closed', text: 'accepts and closes without a word' });
      case 'failed':
        return as({ language: 'reset', text: `resets the connection (${answer.code})` });
      case 'silent':
        return as({ language: 'silent', text: 'accepts and says nothing' });
    }
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** Returns a function that adds the milliseconds since now. */
function stopwatch(): (identity: Omit<Identity, 'ms'>) => Identity {
  const startedAt = performance.now();
  return (identity) => ({ ...identity, ms: performance.now() - startedAt });
}

function unreachable({ fault, detail }: Extract<Dialled, { fault: Fault }>): Omit<Identity, 'ms'> {
  return { language: 'unreachable', text: connectionTexts[fault] ?? detail, fault };
}

/** Asks for TLS, of any version and with any certificate, and inside it for Kafka. */
export async function identifyTls(
  ip: string,
  port: number,
  { servername, ...question }: Question & { servername: string | undefined },
): Promise<Identity> {
  const { clientId, deadline } = question;
  const as = stopwatch();
  const dialled = await dial(ip, port, question);
  if (!dialled.socket) return as(unreachable(dialled));
  const options = servername === undefined ? ANY_TLS : { ...ANY_TLS, servername };
  const secure = await shake(dialled.socket, options, deadline);
  if (!(secure instanceof TLSSocket)) {
    const { how, code } = secure;
    dialled.socket.destroy();
    // An alert is TLS, whatever it complains about.
    if (/ALERT/.test(code)) return as({ language: 'tls', text: `TLS, refused (${code})` });
    const isSilent = how === 'silent';
    return as({ language: isSilent ? 'silent' : 'unknown', text: `no TLS (${isSilent ? how : code})` });
  }
  const protocol = secure.getProtocol();
  try {
    const answer = await exchange(
      secure,
      requestFrame(apiVersionsRequest(), CORRELATION_ID, clientId),
      deadline,
    );
    const isKafka = answer.kind === 'kafka' && readApiVersions(answer.body) !== undefined;
    const what = `with TLS (${protocol})`;
    return as(
      isKafka
        ? { ...(await kafkaIdentity(secure, what, question)), language: 'tls' }
        : { language: 'tls', text: `TLS (${protocol})` },
    );
  } finally {
    secure.on('error', () => {}).destroy();
  }
}

/** Whether the server refuses a handshake that no server accepts, with an answer of seven bytes. */
export async function refusesOldTls(ip: string, port: number, question: Question): Promise<boolean> {
  const dialled = await dial(ip, port, question);
  if (!dialled.socket) return false;
  const result = await shake(dialled.socket, { ...ANY_TLS, maxVersion: 'TLSv1' }, question.deadline);
  dialled.socket.destroy();
  return !(result instanceof TLSSocket) && /ALERT/.test(result.code);
}

/** The mechanisms that a broker offers, on a connection that has answered ApiVersions. */
export async function mechanismsOf(
  socket: Socket,
  { clientId, deadline }: Pick<Question, 'clientId' | 'deadline'>,
): Promise<{ mechanisms: string[] } | undefined> {
  // No broker has this mechanism, so it refuses it with its list, and nobody logs in.
  const request = saslHandshakeRequest('CONNECTIVITY-CHECK');
  const answer = await exchange(socket, requestFrame(request, CORRELATION_ID + 1, clientId), deadline);
  if (answer.kind !== 'kafka') return undefined;
  try {
    const { errorCode, mechanisms } = request.decode(answer.body, request.highestVersion);
    return { mechanisms: errorCode === kafkaErrors.ILLEGAL_SASL_STATE ? [] : mechanisms };
  } catch {
    return undefined;
  }
}

async function kafkaIdentity(socket: Socket, how: string, question: Question): Promise<Omit<Identity, 'ms'>> {
  const offered = await mechanismsOf(socket, question);
  if (!offered) return { language: 'kafka', text: `Kafka ${how}` };
  const { mechanisms } = offered;
  const sasl = mechanisms.length > 0 ? `with SASL (${mechanisms.join(', ')})` : 'without SASL';
  return { language: 'kafka', text: `Kafka ${how}, ${sasl}`, mechanisms };
}

function foreignIdentity(bytes: Buffer): Omit<Identity, 'ms'> {
  const language = languageOf(bytes);
  const texts = {
    tls: 'TLS',
    http: 'HTTP',
    ssh: 'an SSH server',
    smtp: 'a mail server',
    unknown: 'no Kafka',
  };
  return { language, text: language === 'tls' ? 'TLS' : `${texts[language]}: ${quote(bytes)}` };
}

const connectionTexts: Partial<Record<Fault, string>> = {
  TCP_REFUSED: 'refused',
  TCP_TIMEOUT: 'no answer',
  TCP_UNREACHABLE: 'unreachable',
  TCP_NO_ROUTE: 'no route',
  TCP_RESET: 'reset',
};
