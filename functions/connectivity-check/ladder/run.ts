import type { Socket } from 'node:net';
import { remaining, sleep } from '../../../src/deadline.ts';
import type { ClientOptions } from '../../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig } from '../../../src/kafka/connection/config.ts';
import type { Session } from '../../../src/kafka/connection/session.ts';
import type { Log } from '../../../src/log.ts';
import { type Address, addressText } from '../../../src/variables.ts';
import type { CheckConfig } from '../config.ts';
import type { Identity, Question } from '../probes/identify.ts';
import type { Probe } from '../report.ts';

/** What every step of one run knows. */
export interface Run {
  connection: ConnectionConfig;
  check: CheckConfig;
  options: ClientOptions;
  log: Log;
  /** Epoch milliseconds by which every probe has ended; what is left after it writes the report. */
  deadline: number;
  /** After this long without an answer, other ports and protocols are asked beside the wait. */
  patienceMs: number;
  /** By `ip:port`, so that a broker that has two names is sent one password a run. */
  sessions: Map<string, Promise<Session>>;
  largeFrames: Map<Session, Promise<number | undefined>>;
  /** Hosts whose other ports were asked, by IP address. */
  hostsAsked: Set<string>;
  /** All that are open, the sessions' ones too. */
  sockets: Set<Socket>;
}

/** The part of a run that it takes to ask a host once more, in another way. */
export type Asking = Pick<Run, 'options' | 'deadline' | 'patienceMs' | 'sockets'>;

/** Where a step connects to: an address of ours, and the one that its name was resolved to. */
export interface Endpoint {
  address: Address;
  ip: string;
}

/** Another way to ask the same host is tried for as long as this at the most. */
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

/** A second opinion that is asked for when the first answer is late, or bad; once at the most. */
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
