import type { Socket } from 'node:net';
import { remaining, sleep } from '../../../src/deadline.ts';
import type { ClientOptions } from '../../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig } from '../../../src/kafka/connection/config.ts';
import type { Session } from '../../../src/kafka/connection/session.ts';
import type { Log } from '../../../src/log.ts';
import { type Address, addressText, type Environment } from '../../../src/variables.ts';
import type { CheckConfig } from '../config.ts';
import type { Identity, Question } from '../probes/identify.ts';
import type { Probe } from '../report.ts';
import type { RunTokens } from '../rungs/token.ts';

/** Shared by all steps of one run. */
export interface Run {
  connection: ConnectionConfig;
  check: CheckConfig;
  /** For the platform's temporary key. */
  environment: Environment;
  options: ClientOptions;
  log: Log;
  /** Epoch milliseconds by which every probe has ended. The time after it is for the report. */
  deadline: number;
  /** After this long without an answer, other ports and protocols are asked as well. */
  patienceMs: number;
  /** By `ip:port`, so that a broker with two names gets one password a run. */
  sessions: Map<string, Promise<Session>>;
  /** With OAUTHBEARER, once the first broker is asked to log in. */
  tokens?: Promise<RunTokens>;
  largeFrames: Map<Session, Promise<number | undefined>>;
  /** Hosts whose other ports were asked, by IP address. */
  hostsAsked: Set<string>;
  /** All open sockets, including the sessions' ones. */
  sockets: Set<Socket>;
}

/** The part of a run that another question to the same host needs. */
export type Asking = Pick<Run, 'options' | 'deadline' | 'patienceMs' | 'sockets'>;

/** An address, and the IP address that its name was resolved to. */
export interface Endpoint {
  address: Address;
  ip: string;
}

/** The longest wait for another question to the same host. */
const MAX_SECOND_OPINION_MS = 3_000;

export function question({ options, deadline, sockets }: Asking, maxMs = MAX_SECOND_OPINION_MS): Question {
  return { clientId: options.clientId, deadline: Math.min(deadline, Date.now() + maxMs), sockets };
}

export function probeOf(
  { ip, port, how }: { ip: string; port: number; how: string },
  { text, ms }: Identity,
): Probe {
  return { address: addressText({ host: ip, port }), answer: `${how}: ${text}`, ms: Math.round(ms) };
}

/** Asks for a second opinion, at most once, when the first answer is late or bad. */
export function standby<T>(
  first: Promise<unknown>,
  { patienceMs, deadline }: { patienceMs: number; deadline: number },
  ask: () => Promise<T>,
): () => Promise<T> {
  let asked: Promise<T> | undefined;
  const start = () => {
    asked ??= ask();
    return asked;
  };
  const answered = first.then(
    () => true,
    () => true,
  );
  const patience = sleep(Math.min(patienceMs, remaining(deadline)));
  void Promise.race([answered, patience]).then((isAnswered) => {
    if (!isAnswered) start();
  });
  return start;
}
