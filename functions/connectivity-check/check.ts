import { remaining, sleep } from '../../src/deadline.ts';
import { firstOf } from '../../src/first-of.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import { RequestFailed } from '../../src/kafka/connection/request-failed.ts';
import type { MetadataResponse } from '../../src/kafka/wire/metadata.ts';
import type { Log } from '../../src/log.ts';
import { type Address, addressText, type Environment } from '../../src/variables.ts';
import { type Climb, climbTo, judgeLargeFrames, newClimb, type Reached, unanswered } from './climb.ts';
import type { CheckConfig } from './config.ts';
import { type Findings, newFindings } from './findings.ts';
import { Broken } from './ladder/ladder.ts';
import type { Run } from './ladder/run.ts';
import type { Report, RoundTripReport } from './report.ts';
import { findDownNodes } from './rungs/down-nodes.ts';
import { groupReport, inspectGroup, type SessionOf } from './rungs/group.ts';
import { notBegun } from './rungs/group-lag.ts';
import { judgePermissions } from './rungs/permissions.ts';
import { roundTrip } from './rungs/round-trip.ts';
import { reachSink } from './rungs/sink.ts';
import { judgeTopic, missingDeadLetterTopics, readSettings, topicReport } from './rungs/topic.ts';
import { writeReport } from './verdict.ts';

/** Time that is kept for writing the report. */
const RESERVE_MS = 60;
const PATIENCE_MS = 1_000;
/** A dead bootstrap address delays the report by at most this, where all else is well. */
const STRAGGLER_MS = 3_500;
/** Metadata decides what is dialled, so only this many brokers of a cluster are checked. */
const MAX_BROKERS = 100;

/**
 * Climbs from every bootstrap address, then to every broker that the cluster advertises, side by side. Checks the
 * topic, the group and the permissions, and names the first broken rung. Resolves by the deadline.
 */
export async function check(
  config: { connection: ConnectionConfig; check: CheckConfig; environment: Environment },
  deadline: number,
  log: Log,
): Promise<Report> {
  const run = newRun(config, deadline, log);
  const bootstraps = distinct(config.connection.bootstrapServers).map((address) =>
    newClimb(address, 'bootstrap'),
  );
  const findings = newFindings(run, bootstraps);
  try {
    const topics = [config.check.topic, ...config.check.deadLetterTopics].filter(
      (topic) => topic !== undefined,
    );
    const climbing = bootstraps.map((climb) => climbTo(climb, topics, run));
    findings.seat = await firstOf(climbing.map(async (climb) => ((await climb).reached ? climb : undefined)));
    if (findings.seat?.reached) await lookAround(findings, climbing, findings.seat.reached);
    await Promise.race([Promise.all(climbing), straggling(findings)]);
    return writeReport(findings);
  } finally {
    for (const socket of run.sockets) socket.destroy();
  }
}

function newRun(
  { connection, check: checkConfig, environment }: Parameters<typeof check>[0],
  deadline: number,
  log: Log,
): Run {
  const budget = remaining(deadline);
  return {
    connection,
    check: checkConfig,
    environment,
    options: clientOptions(connection),
    log,
    deadline: deadline - Math.min(RESERVE_MS, budget / 10),
    patienceMs: Math.min(PATIENCE_MS, budget / 4),
    sessions: new Map(),
    largeFrames: new Map(),
    hostsAsked: new Set(),
    sockets: new Set(),
  };
}

async function straggling({ seat, run, startedAt, brokers }: Findings): Promise<void> {
  const allWell = seat !== undefined && brokers.every(({ ladder }) => !ladder.broken);
  const until = allWell ? Math.min(run.deadline, startedAt + STRAGGLER_MS) : run.deadline + RESERVE_MS;
  await sleep(remaining(until));
}

/** Climbs the rungs that need metadata of the cluster. */
async function lookAround(
  findings: Findings,
  climbing: readonly Promise<Climb>[],
  reached: Reached,
): Promise<void> {
  const { run, bootstraps, seat } = findings;
  findings.brokers = await climbBrokers(reached.metadata, { bootstraps, climbing }, run);
  findings.down = await findDownNodes(reached.session, reached.metadata, run);
  await judgeLargeFrames([...bootstraps, ...findings.brokers]);
  const { topic } = run.check;
  if (topic !== undefined) findings.topic = topicReport(reached.metadata, topic);
  if (!seat || seat.ladder.broken || !(await brokersRung(findings, seat))) return;
  await topRungs(findings, seat, reached);
}

async function climbBrokers(
  { brokers }: MetadataResponse,
  { bootstraps, climbing }: { bootstraps: readonly Climb[]; climbing: readonly Promise<Climb>[] },
  run: Run,
): Promise<Climb[]> {
  return Promise.all(
    brokers.slice(0, MAX_BROKERS).map(async ({ nodeId, host, port }) => {
      const address = { host, port };
      const index = bootstraps.findIndex((climb) => addressText(climb.address) === addressText(address));
      const known = await climbing[index];
      if (known) return { ...known, nodeId, ladder: known.ladder.asBroker() };
      return climbTo(newClimb(address, 'broker', nodeId), [], run);
    }),
  );
}

/** True where every advertised broker was reached. Otherwise the rungs above can't be climbed. */
async function brokersRung({ brokers, down }: Findings, seat: Climb): Promise<boolean> {
  const broken = brokers.flatMap(({ address, ladder }) =>
    ladder.broken ? [{ address, ...ladder.broken }] : [],
  );
  const [first] = broken;
  if (first) {
    const names = broken.map(({ address }) => addressText(address)).join(', ');
    seat.ladder.lean('brokers', first.fault, `${broken.length} of ${brokers.length} failed: ${names}`);
  } else if (down.nodeIds.length > 0) {
    const names = down.nodeIds.join(', ');
    seat.ladder.lean(
      'brokers',
      'BROKER_DOWN',
      `all ${brokers.length} with an address answer; down: ${names}`,
    );
  } else {
    const evidence = `all ${brokers.length} answer`;
    await seat.ladder.climb('brokers', () => ({ value: undefined, evidence }));
  }
  return first === undefined;
}

async function topRungs(findings: Findings, seat: Climb, reached: Reached): Promise<void> {
  const { run, brokers } = findings;
  const sessionOf: SessionOf = (nodeId) =>
    brokers.find((broker) => broker.nodeId === nodeId)?.reached?.session;
  try {
    await topicRung(findings, seat, reached);
    await permissionsRung(findings, seat, reached, sessionOf);
    await roundTripRung(findings, seat, sessionOf);
    await sinkRung(findings, seat);
  } catch (error) {
    if (error instanceof Broken) return;
    if (!(error instanceof RequestFailed)) throw error;
    run.log.debug('a request was not answered', { error });
    seat.ladder.break(unanswered(error, 'a request'), 0);
  }
}

async function topicRung(findings: Findings, seat: Climb, { session, metadata }: Reached): Promise<void> {
  const { run, notices } = findings;
  const { topic, deadLetterTopics } = run.check;
  notices.push(...missingDeadLetterTopics(metadata, deadLetterTopics));
  if (topic === undefined) {
    seat.ladder.skip('topic', 'CHECK_TOPIC names none');
    return;
  }
  const described = metadata.topics.find(({ name }) => name === topic);
  const report = { ...topicReport(metadata, topic), ...(await readSettings(session, described, run)) };
  findings.topic = report;
  findings.permissions.topic = described?.operations ?? null;
  await seat.ladder.climb('topic', () => judgeTopic(described, report, run.check));
}

async function permissionsRung(
  findings: Findings,
  { ladder }: Climb,
  { session, metadata }: Reached,
  sessionOf: SessionOf,
): Promise<void> {
  const { run, permissions } = findings;
  const { topic, group, needsIdempotence } = run.check;
  permissions.cluster = metadata.operations ?? null;
  if (topic === undefined && group === undefined && !needsIdempotence) {
    ladder.skip('permissions', 'neither CHECK_TOPIC nor CHECK_GROUP_ID is set');
    return;
  }
  await ladder.climb('permissions', async () => {
    if (group !== undefined) {
      const asking = { seat: session, sessionOf, deadline: run.deadline };
      const described = await inspectGroup(group, asking);
      permissions.group = described.description.operations ?? null;
      findings.group = await groupReport(group, described, metadata.topics, run.check, asking);
      findings.notices.push(...notBegun(findings.group, run.check));
    }
    return judgePermissions(permissions, session, run);
  });
}

/** Sends one record to each broker that leads a partition of the topic, side by side. */
async function roundTripRung(findings: Findings, seat: Climb, sessionOf: SessionOf): Promise<void> {
  const { run, brokers, topic } = findings;
  const {
    check: { roundTrip: isWanted, acksAll },
    deadline,
  } = run;
  if (!isWanted || !topic) {
    seat.ladder.skip('round-trip', 'without CHECK_ROUND_TRIP nothing is published');
    return;
  }
  seat.ladder.skip('round-trip', "at each leader's own address");
  const trips: RoundTripReport['partitions'] = [];
  findings.roundTrip = { topic: topic.name, partitions: trips };
  await Promise.all(
    brokers.map(async ({ nodeId, ladder }) => {
      const partition = topic.partitions.find(({ leader }) => leader === nodeId);
      const session = nodeId === undefined ? undefined : sessionOf(nodeId);
      if (!partition || !session) {
        ladder.skip('round-trip', `leads no partition of ${topic.name}`);
        return;
      }
      const where = { topic: topic.name, partition: partition.partition, leader: partition.leader };
      const made = ladder.climb('round-trip', () =>
        roundTrip(session, where, { acksAll, deadline }, (trip) => trips.push(trip)),
      );
      // The broken rung is noted on its ladder. The other brokers' trips go on.
      await made.catch(() => {});
    }),
  );
  trips.sort((a, b) => a.partition - b.partition);
}

/** Where consume-batch writes what it reads. */
async function sinkRung({ run }: Findings, { ladder }: Climb): Promise<void> {
  const { sink } = run.check;
  if (sink) await ladder.climb('sink', () => reachSink(sink, run));
  else ladder.skip('sink', 'CONSUME_SINK names none that can be looked at');
}

function distinct(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [addressText(address), address])).values()];
}
