/**
 * `npm run replay -- --topic orders.dead-letter [--to orders] [--dry-run]`: publishes dead letters back to
 * where they came from, each exactly once, as often as it is called. The variables are those of the function.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connectionConfig, logLevel, type PullConfig } from '../../src/config.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import { clientOptions } from '../../src/kafka/client-options.ts';
import { Connection } from '../../src/kafka/connection.ts';
import { GroupOffsets } from '../../src/kafka/group-offsets.ts';
import { createLog, type Log } from '../../src/log.ts';
import { readConfig } from '../../src/variables.ts';
import { drain } from './drain.ts';
import { transactionalHandler } from './handle-transactional.ts';
import type { OffsetNotes } from './keep-offsets.ts';
import type { PartitionHandler, PullTimes } from './partition-handler.ts';
import { type ReplayTarget, replayed } from './replayed.ts';

const USAGE = `Usage: npm run replay -- --topic <dead-letter topic> [--to <topic>] [--group <id>] [--dry-run]

  --topic    where the dead letters are
  --to       where they go; default: the topic that each one came from
  --group    the consumer group that remembers what was replayed; default <dead-letter topic>.replay
  --dry-run  counts, looks whether each target exists, and publishes nothing`;
const ROUND_MS = 30_000;
const ROUND_RECORDS = 5_000;
const MIB = 1024 * 1024;

interface Arguments extends ReplayTarget {
  topic: string;
  groupId: string;
  dryRun: boolean;
}

async function main(): Promise<void> {
  const wanted = readArguments();
  if (typeof wanted === 'string') {
    console.error(`${wanted}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const environment = (name: string) => process.env[name];
  const config = readConfig(environment, (variables) => ({
    connection: connectionConfig(variables),
    logLevel: logLevel(variables),
  }));
  const log = quieter(createLog(config.logLevel));
  const connection = new Connection(clientOptions(config.connection), log);
  try {
    await replay(wanted, connection, log);
  } finally {
    connection.close();
  }
}

/** Where the command line makes no sense, why. */
function readArguments(): Arguments | string {
  try {
    const { values } = parseArgs({
      options: {
        topic: { type: 'string' },
        to: { type: 'string' },
        group: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
      },
    });
    const { topic, to, group } = values;
    if (!topic) return '--topic is required';
    if (to === topic) return `--to ${to} is where the dead letters are`;
    if (to === '') return '--to is empty';
    if (group === '') return '--group is empty';
    return { topic, to, groupId: group ?? `${topic}.replay`, dryRun: values['dry-run'] };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Round after round, until nothing waits; what was published in the rounds before stays published. */
async function replay(wanted: Arguments, connection: Connection, log: Log): Promise<void> {
  const { topic, groupId, dryRun } = wanted;
  const counts = new Map<string, number>();
  const group = new GroupOffsets(connection, groupId, log);
  const config: PullConfig = {
    groupId,
    topics: [topic],
    autoOffsetReset: 'earliest',
    isolationLevel: 'read_committed',
    checkCrcs: true,
    unreadable: 'stop',
    // A dry run commits nothing, so it has to see everything in one round.
    maxRecords: dryRun ? Number.MAX_SAFE_INTEGER : ROUND_RECORDS,
    maxBytes: dryRun ? Number.MAX_SAFE_INTEGER : 64 * MIB,
  };
  const handlers = (times: PullTimes, notes: OffsetNotes) => {
    const options = { connection, group, times, notes, log };
    return counting(counts, wanted, dryRun ? countOnly() : publishing(wanted, options));
  };
  let done = 0;
  for (let more = true; more; ) {
    const deadline = Date.now() + (dryRun ? 10 * ROUND_MS : ROUND_MS);
    const answer = await drain({}, { connection, group, config, log, handlers, dryRun }, deadline);
    done += answer.processed;
    const left = answer.partitions.reduce((sum, { lag }) => sum + lag, 0);
    more = !dryRun && answer.more;
    console.error(`${done} ${dryRun ? 'dead letters would be replayed' : 'replayed'}, ${left} left`);
    // Another replay holds the partitions that are left.
    if (more && answer.processed === 0) await wait(1_000);
  }
  for (const [target, count] of counts) console.log(`${target}\t${count}`);
  if (dryRun) await requireTopics([...counts.keys()], connection);
}

/** Throws a Failure where one of them does not exist, or can't be seen. */
async function requireTopics(names: readonly string[], connection: Connection): Promise<void> {
  const deadline = Date.now() + ROUND_MS;
  const looks = await Promise.allSettled(names.map((name) => connection.topic(name, deadline)));
  const failures = looks.flatMap((look) => (look.status === 'rejected' ? toFailure(look.reason) : []));
  const [first] = failures;
  if (first) throw new Failure(first.code, failures.map(({ message }) => message).join('; '));
}

function publishing(
  target: ReplayTarget,
  options: {
    connection: Connection;
    group: GroupOffsets;
    times: PullTimes;
    notes: OffsetNotes;
    log: Log;
  },
): PartitionHandler {
  return transactionalHandler({
    ...options,
    target: (record) => replayed(record, target),
    deadLetter: ({ record, error }) =>
      new Failure('SINK_FAILED', `${record.topic}-${record.partition}@${record.offset}: ${error.message}`),
  });
}

function countOnly(): PartitionHandler {
  return {
    renew: async () => {},
    begin: async (position) => position,
    handle: async (_position, { records, nextOffset }) => ({
      processed: records.length,
      deadLettered: 0,
      failed: 0,
      to: nextOffset,
      stop: undefined,
    }),
  };
}

/** Counts what was done, by target. */
function counting(
  counts: Map<string, number>,
  target: ReplayTarget,
  handler: PartitionHandler,
): PartitionHandler {
  return {
    renew: (committed) => handler.renew(committed),
    begin: (position) => handler.begin(position),
    async handle(position, batch) {
      const targets = batch.records.map((record) => replayed(record, target));
      const failure = targets.find((it) => it instanceof Failure);
      if (failure) return { processed: 0, deadLettered: 0, failed: 1, to: undefined, stop: failure };
      const result = await handler.handle(position, batch);
      for (const it of targets.slice(0, result.processed)) {
        if (!(it instanceof Failure)) counts.set(it.topic, (counts.get(it.topic) ?? 0) + 1);
      }
      return result;
    },
  };
}

/** The progress is told in sentences; lines at info would hide them. */
function quieter(log: Log): Log {
  return { ...log, info: log.debug };
}

main().catch((error: unknown) => {
  const { code, message } = toFailure(error);
  console.error(`${code}: ${message}`);
  process.exitCode = 1;
});
