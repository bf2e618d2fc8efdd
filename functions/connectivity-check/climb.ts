import type { Socket } from 'node:net';
import { messageOf } from '../../src/errors.ts';
import { bundledCertificates } from '../../src/kafka/connection/certificates.ts';
import { RequestFailed } from '../../src/kafka/connection/request-failed.ts';
import type { Session } from '../../src/kafka/connection/session.ts';
import type { ApiVersion } from '../../src/kafka/wire/api-versions.ts';
import { largeRequest } from '../../src/kafka/wire/large-request.ts';
import { type MetadataResponse, metadataRequest } from '../../src/kafka/wire/metadata.ts';
import { type Address, addressText } from '../../src/variables.ts';
import { Broken, Ladder, type Passed } from './ladder/ladder.ts';
import type { Endpoint, Run } from './ladder/run.ts';
import { isLoopback, kindOf } from './probes/addresses.ts';
import type { TlsReport } from './report.ts';
import { ownExpiryNotices } from './rungs/client-certificate.ts';
import { isName, resolve } from './rungs/dns.ts';
import { askApiVersions } from './rungs/kafka.ts';
import { portNotices } from './rungs/port.ts';
import { explainHangUp, logIn } from './rungs/sasl.ts';
import { connect } from './rungs/tcp.ts';
import { encrypt } from './rungs/tls.ts';

/** The result of a climb to the end. */
export interface Reached {
  session: Session;
  metadata: MetadataResponse;
  /** Resolves with the milliseconds waited where a large frame was lost, else with undefined. */
  largeFrame: Promise<number | undefined>;
}

/** One address, and how far its ladder was climbed. */
export interface Climb {
  address: Address;
  nodeId: number | undefined;
  ladder: Ladder;
  ips: string[];
  tls: TlsReport | undefined;
  /** Set once the address has answered Metadata. */
  reached: Reached | undefined;
}

export function newClimb(address: Address, role: 'bootstrap' | 'broker', nodeId?: number): Climb {
  return { address, nodeId, ladder: new Ladder(role), ips: [], tls: undefined, reached: undefined };
}

/** Climbs from the address's name up to its metadata. Never rejects: the ladder notes what broke. */
export async function climbTo(climb: Climb, topics: readonly string[], run: Run): Promise<Climb> {
  try {
    await ascend(climb, topics, run);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    run.log.debug('a rung broke', {
      target: addressText(climb.address),
      fault: error.fault,
      evidence: error.message,
    });
  }
  return climb;
}

async function ascend(climb: Climb, topics: readonly string[], run: Run): Promise<void> {
  const { address, ladder } = climb;
  if (ladder.role === 'bootstrap') {
    const notices = ownExpiryNotices(run.options.tls ?? {});
    await ladder.climb('config', () => ({ value: undefined, evidence: configEvidence(run), notices }));
  }
  climb.ips = await dnsRung(climb, run);
  const { socket, ip } = await ladder.climb('tcp', async () => {
    const passed = await connect(address, climb.ips, run);
    const notices = isLoopback(passed.value.ip) ? [] : portNotices(address, run.connection);
    return { ...passed, notices };
  });
  const endpoint = { address, ip };
  const secured = await tlsRung(climb, socket, endpoint, run);
  const apiVersions = await ladder.climb('kafka', () => askApiVersions(secured, endpoint, run));
  const session = await saslRung(climb, secured, apiVersions, endpoint, run);
  const metadata = await ladder.climb('metadata', () => askMetadata(session, topics, endpoint, run));
  climb.reached = { session, metadata, largeFrame: sendLargeFrame(session, run) };
}

async function dnsRung({ address, ladder }: Climb, run: Run): Promise<string[]> {
  const { host } = address;
  if (isName(host)) return ladder.climb('dns', () => resolve(address, run));
  ladder.skip('dns', `${host} is a ${kindOf(host)} address`);
  return [host];
}

async function tlsRung(climb: Climb, socket: Socket, endpoint: Endpoint, run: Run): Promise<Socket> {
  if (!run.options.tls) {
    climb.ladder.skip('tls', `not with ${run.connection.securityProtocol}`);
    return socket;
  }
  const secured = await climb.ladder.climb('tls', () =>
    encrypt(socket, endpoint, run, (report) => {
      climb.tls = report;
    }),
  );
  return secured.socket;
}

async function saslRung(
  { ladder }: Climb,
  socket: Socket,
  apiVersions: readonly ApiVersion[],
  endpoint: Endpoint,
  run: Run,
): Promise<Session> {
  if (run.options.sasl) return ladder.climb('sasl', () => logIn(socket, apiVersions, endpoint, run));
  ladder.skip('sasl', `not with ${run.connection.securityProtocol}`);
  return (await logIn(socket, apiVersions, endpoint, run)).value;
}

async function askMetadata(
  session: Session,
  topics: readonly string[],
  endpoint: Endpoint,
  run: Run,
): Promise<Passed<MetadataResponse>> {
  try {
    const metadata = await session.send(metadataRequest(topics), run.deadline);
    const evidence = `${metadata.brokers.length} brokers, cluster ${metadata.clusterId ?? 'without an id'}`;
    return { value: metadata, evidence };
  } catch (error) {
    throw (await explainHangUp(endpoint, run)) ?? unanswered(error, 'Metadata');
  }
}

/** A broker that answers small requests but not a large one is behind a network that drops large packets. */
export async function judgeLargeFrames(climbs: readonly Climb[]): Promise<void> {
  await Promise.all(
    climbs.map(async ({ ladder, reached }) => {
      const lostAfterMs = await reached?.largeFrame;
      if (lostAfterMs === undefined) return;
      const evidence = 'small requests were answered, one of 16 KB was not';
      ladder.break(new Broken('MTU_BLACKHOLE', evidence), lostAfterMs);
    }),
  );
}

/** Sends a frame that doesn't fit one packet, once a connection. Resolves with the wait if no response came. */
function sendLargeFrame(session: Session, run: Run): Promise<number | undefined> {
  const known = run.largeFrames.get(session);
  if (known) return known;
  const startedAt = performance.now();
  const sent = session.send(largeRequest(), run.deadline).then(
    () => undefined,
    (error: unknown) => {
      const waitedMs = performance.now() - startedAt;
      const isLost = error instanceof RequestFailed && error.timedOut && waitedMs >= run.patienceMs;
      return isLost ? waitedMs : undefined;
    },
  );
  run.largeFrames.set(session, sent);
  return sent;
}

/** The fault of a request after ApiVersions without a response, or with one that can't be read. */
export function unanswered(error: unknown, request: string): Broken {
  const evidence = `${request} was not answered (${messageOf(error)})`;
  if (!(error instanceof RequestFailed)) return new Broken('NOT_KAFKA', evidence);
  if (error.timedOut) return new Broken('TCP_SILENT', evidence);
  const isUnreadable = error.cause instanceof RangeError || error.message.includes('cannot be read');
  return new Broken(isUnreadable || !error.sent ? 'NOT_KAFKA' : 'TCP_RESET', evidence);
}

function configEvidence({ connection }: Run): string {
  const { securityProtocol, sasl, ssl } = connection;
  const bundled = bundledCertificates === '' ? 'the public authorities' : 'the bundled certificates';
  const trust = ssl?.ca === undefined ? bundled : 'the given certificates';
  const own = ssl?.clientCertificate && 'with a client certificate';
  return [securityProtocol, sasl?.mechanism, ssl && `trusting ${trust}`, own].filter(Boolean).join(', ');
}
