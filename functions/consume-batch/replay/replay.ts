/**
 * `npm run replay -- --topic orders.dead-letter [--to orders | --origins orders,…] [--dry-run]`: publishes dead
 * letters back to where they came from. Each goes back exactly once, however often the command is called. It reads
 * the function's variables. Without `--to` and `--origins`, CONSUME_TOPICS lists the allowed topics.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Failure, messageOf, toFailure } from '../../../src/errors.ts';
import { clientOptions } from '../../../src/kafka/connection/client-options.ts';
import { connectionConfig } from '../../../src/kafka/connection/config.ts';
import { Connection } from '../../../src/kafka/connection/connection.ts';
import { kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import { type ProducerConfig, producerConfig } from '../../../src/kafka/produce/config.ts';
import { createLog, type Log, logLevel } from '../../../src/log.ts';
import type { ProducerRecord } from '../../../src/record.ts';
import { environmentOf } from '../../../src/settings-files.ts';
import { readConfig, type Variables } from '../../../src/variables.ts';
import { visible } from '../../../src/visible.ts';
import type { PullConfig } from '../config.ts';
import { drainEach } from '../pull/drain.ts';
import { transactionalHandler } from '../pull/handle-transactional.ts';
import type { OffsetNotes } from '../pull/keep-offsets.ts';
import type { PartitionHandler, PullTimes } from '../pull/partition-handler.ts';
import { placeOf } from '../records/dead-letter.ts';
import { replayGroupOf } from './replay-group.ts';
import { looking, publishing } from './replay-handlers.ts';
import { ReplayTargets } from './replay-targets.ts';
import { type ReplayTarget, replayed } from './replayed.ts';

const USAGE = `Usage: npm run replay -- --topic <dead-letter topic> [--to <topic> | --origins <topics>] [--group <id>] [--dry-run]

  --topic    where the dead letters are
  --to       where they go; default: the topic that each one says it came from
  --origins  which topics they may go back to: names and prefix*, separated by commas; default: CONSUME_TOPICS
  --group    the consumer group that remembers what was replayed; default <dead-letter topic>.replay
  --dry-run  tells what would become of each one, and publishes nothing

A dead letter that can't go back is named, and stays with what is behind it in its partition; the exit code is 1.`;
const ROUND_MS = 30_000;
const LOOK_MS = 300_000;
const ROUND_RECORDS = 5_000;
const MIB = 1024 * 1024;

interface Arguments {
  topic: string;
  to: string | undefined;
  origins: string | undefined;
  groupId: string;
  dryRun: boolean;
}

async function main(): Promise<void> {
  const wanted = readArguments();
  if (wanted === undefined) return console.log(USAGE);
  if (typeof wanted === 'string') {
    console.error(`${wanted}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const own = environmentOf('consume-batch');
  const environment = (name: string) => (name === '--origins' ? wanted.origins : own(name));
  const config = readConfig(environment, (variables) => ({
    connection: connectionConfig(variables),
    logLevel: logLevel(variables),
    compression: producerConfig(variables).compression,
    target: replayTarget(wanted, variables),
  }));
  const log = quieter(createLog(config.logLevel));
  const connection = new Connection(clientOptions(config.connection), log);
  try {
    await new Replay({ ...config, wanted, connection, log }).run();
  } finally {
    connection.close();
  }
}

/** A string says why the command line makes no sense; undefined asks for help. */
function readArguments(): Arguments | string | undefined {
  try {
    const { values } = parseArgs({
      options: {
        topic: { type: 'string' },
        to: { type: 'string' },
        origins: { type: 'string' },
        group: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return undefined;
    const { topic, to, origins, group } = values;
    if (!topic) return '--topic is required';
    if (to === topic) return `--to ${to} is where the dead letters are`;
    if (to === '') return '--to is empty';
    if (origins?.trim() === '') return '--origins is empty';
    if (to !== undefined && origins !== undefined) return '--to and --origins: only one of them says where';
    if (group === '') return '--group is empty';
    return { topic, to, origins, groupId: group ?? replayGroupOf(topic), dryRun: values['dry-run'] };
  } catch (error) {
    return messageOf(error);
  }
}

function replayTarget({ to, origins }: Arguments, variables: Variables): ReplayTarget {
  if (origins !== undefined) {
    return { to, isOrigin: variables.topicPatterns('--origins'), origins: '--origins' };
  }
  const topics = variables.list('CONSUME_TOPICS');
  if (to === undefined && topics.length === 0) {
    variables.reject(
      'CONSUME_TOPICS',
      'must list the topics that dead letters may go back to, or --origins, or give --to',
    );
  }
  return { to, isOrigin: (topic) => topics.includes(topic), origins: 'CONSUME_TOPICS' };
}

interface ReplayOptions {
  wanted: Arguments;
  target: ReplayTarget;
  compression: ProducerConfig['compression'];
  connection: Connection;
  log: Log;
}

/** One run of the command. */
class Replay {
  readonly #wanted: Arguments;
  readonly #target: ReplayTarget;
  readonly #compression: ProducerConfig['compression'];
  readonly #connection: Connection;
  readonly #group: GroupOffsets;
  readonly #log: Log;
  /** By target topic. */
  readonly #counts = new Map<string, number>();
  /** Sentences about stopped partitions, each printed once. */
  readonly #told = new Set<string>();
  #refused = 0;
  #held = 0;

  constructor({ wanted, target, compression, connection, log }: ReplayOptions) {
    this.#wanted = wanted;
    this.#target = target;
    this.#compression = compression;
    this.#connection = connection;
    this.#group = new GroupOffsets(connection, wanted.groupId, log);
    this.#log = log;
  }

  async run(): Promise<void> {
    const { dryRun } = this.#wanted;
    await this.#requireGroup();
    if (dryRun) {
      await this.#look(undefined, (record) => this.#count(record));
    } else {
      const stopped = await this.#publish();
      // The other dead letters that can't go back are told now, not one with every call.
      if (stopped.length > 0) await this.#look(stopped, () => this.#held++);
    }
    for (const [target, count] of this.#counts) console.log(`${visible(target)}\t${count}`);
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    const done = dryRun ? 'dead letters would be replayed' : 'replayed';
    const stay = this.#refused > 0 ? `, ${this.#refused} refused, ${this.#held} held back by them` : '';
    console.error(`${total} ${done}${stay}`);
  }

  /** Publishes in rounds until nothing waits. Resolves with the partitions that stopped before their end. */
  async #publish(): Promise<number[]> {
    const { topic } = this.#wanted;
    const stopped = new Set<number>();
    let partitions: number[] | undefined;
    let done = 0;
    do {
      const deadline = Date.now() + ROUND_MS;
      const targets = new ReplayTargets(this.#connection, { compression: this.#compression, deadline });
      const round = await drainEach(
        partitions ? { partitions } : {},
        {
          ...this.#drainOptions,
          handlers: (times, notes) =>
            publishing({
              target: this.#target,
              targets,
              onReplayed: (record) => this.#count(record),
              handler: this.#transactional({ times, notes }),
            }),
        },
        deadline,
      );
      for (const { partition, failure } of round.stopped) {
        if (partition !== undefined) stopped.add(partition);
        this.#tell(failure);
      }
      const waiting = round.answer.partitions.filter(({ lag }) => lag > 0);
      partitions = waiting.flatMap(({ partition }) => (stopped.has(partition) ? [] : [partition]));
      done += round.answer.processed;
      console.error(`${done} replayed, ${waiting.reduce((sum, { lag }) => sum + lag, 0)} left in ${topic}`);
      // Another replay holds the other partitions.
      if (partitions.length > 0 && round.answer.processed === 0) await wait(1_000);
    } while (partitions.length > 0);
    return [...stopped];
  }

  /** Tells what would happen to each dead letter in these partitions, or in all. */
  async #look(partitions: number[] | undefined, onReplayed: (record: ProducerRecord) => void): Promise<void> {
    const deadline = Date.now() + LOOK_MS;
    const connection = this.#connection;
    const targets = new ReplayTargets(connection, {
      compression: this.#compression,
      deadline,
      onUnseen: (topic) =>
        console.error(
          `what topic ${visible(topic)} refuses can't be foreseen: this user may not see its settings (Describe Configs)`,
        ),
    });
    const handlers = () =>
      looking({
        target: this.#target,
        targets,
        connection,
        group: this.#group,
        deadline,
        onReplayed,
        onRefused: (refusal) => this.#refuse(refusal),
        onHeld: () => this.#held++,
      });
    const { answer, stopped } = await drainEach(
      partitions ? { partitions } : {},
      { ...this.#drainOptions, handlers, dryRun: true },
      deadline,
    );
    for (const { failure } of stopped) this.#tell(failure);
    const unseen = answer.partitions.filter(
      ({ partition, lag }) => lag > 0 && stopped.every((stop) => stop.partition !== partition),
    );
    if (unseen.length > 0) {
      const names = unseen.map(({ topic, partition, to }) => `${topic}-${partition} from ${to}`).join(', ');
      this.#refuse(
        new Failure('BROKER_UNREACHABLE', `${LOOK_MS / 1_000} s were not enough to look at ${names}`),
      );
    }
  }

  /** A commit needs Read on the group, although offsets may be readable without it. */
  async #requireGroup(): Promise<void> {
    const { operations } = await this.#group.requireNoMembers(Date.now() + ROUND_MS);
    if (operations && !operations.includes('READ')) {
      throw this.#group.failure(kafkaErrors.GROUP_AUTHORIZATION_FAILED);
    }
  }

  #transactional(options: { times: PullTimes; notes: OffsetNotes }): PartitionHandler {
    return transactionalHandler({
      ...options,
      connection: this.#connection,
      group: this.#group,
      log: this.#log,
      compression: this.#compression,
      target: (record) => replayed(record, this.#target),
      deadLetter: ({ record, error }) => new Failure('SINK_FAILED', `${placeOf(record)}: ${error.message}`),
    });
  }

  get #drainOptions() {
    const { topic, groupId } = this.#wanted;
    const config: PullConfig = {
      groupId,
      topics: [topic],
      autoOffsetReset: 'earliest',
      isolationLevel: 'read_committed',
      checkCrcs: true,
      unreadable: 'stop',
      maxRecords: ROUND_RECORDS,
      maxBytes: 64 * MIB,
      waitMs: 0,
    };
    return { connection: this.#connection, group: this.#group, config, log: this.#log };
  }

  #count({ topic }: ProducerRecord): void {
    this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1);
  }

  /** Reports why a partition stops. */
  #tell(failure: Failure): void {
    this.#refuse(failure);
    this.#told.add(sentence(failure));
  }

  #refuse(failure: Failure): void {
    if (this.#told.has(sentence(failure))) return;
    this.#refused++;
    console.error(sentence(failure));
    process.exitCode = 1;
  }
}

function sentence({ code, message }: Failure): string {
  return `${code}: ${message}`;
}

/** Progress is printed in sentences, which lines at info would hide. */
function quieter(log: Log): Log {
  return { ...log, info: log.debug };
}

main().catch((error: unknown) => {
  console.error(sentence(toFailure(error)));
  process.exitCode = 1;
});
