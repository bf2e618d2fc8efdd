import { Budget } from '../../src/budget.ts';
import { remaining } from '../../src/deadline.ts';
import { Failure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import type { Producer } from '../../src/kafka/produce/producer.ts';
import { type Log, withFields } from '../../src/log.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { processEnvironment } from '../../src/settings.ts';
import { traceOf } from '../../src/trace.ts';
import type { ConsumeConfig, PullConfig } from './config.ts';
import { Committer } from './pull/committer.ts';
import { drain, type PullAnswer } from './pull/drain.ts';
import { plainHandler } from './pull/handle-plain.ts';
import type { OffsetNotes } from './pull/keep-offsets.ts';
import type { PartitionHandler, PullTimes } from './pull/partition-handler.ts';
import type { PullWish } from './pull/pull-wish.ts';
import { DeadLetters } from './records/dead-letters.ts';
import { handledBatches } from './records/handled-batches.ts';
import type { CallOrigin, Pipeline } from './records/pipeline.ts';
import { isOpen, type ProcessOptions, processRecords, tally } from './records/process-records.ts';
import { Resources } from './records/resources.ts';
import type { PullParts, PullSink, Sink } from './records/sink.ts';
import { openSink } from './sinks/open-sink.ts';
import { pipeline as usersPipeline } from './users-pipeline.ts';

/** Time that a call keeps for dead letters. */
const DEAD_LETTER_RESERVE_MS = 2_000;
const WARNING_WITHIN_MS = 1_000;
const NOT_BEGUN = 'the record was not handled: one before it failed, or time ran out';

interface ConsumerOptions {
  connection: Connection;
  producer: Producer;
  config: ConsumeConfig;
  log: Log;
  /** By default the user's own. */
  pipeline?: Pipeline;
}

interface PushCall extends Partial<CallOrigin> {
  isRedelivered: boolean;
  /** Epoch milliseconds. */
  deadline: number;
}

/** The consume-batch function, without any platform. */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #sink: Sink | PullSink;
  readonly #resources: Resources;
  readonly #deadLetters: DeadLetters;
  /** How many calls of the sink may run at once. */
  readonly #turns: Budget;
  #group: GroupOffsets | undefined;

  constructor(options: ConsumerOptions) {
    const { connection, producer, config, log, pipeline = usersPipeline } = options;
    this.#options = options;
    this.#resources = new Resources(pipeline, log);
    const parts = { connection, producer, pipeline, resources: this.#resources };
    this.#sink = openSink(config.sink, parts);
    this.#turns = new Budget(config.concurrency);
    this.#deadLetters = new DeadLetters(config.deadLetterTopic, {
      producer,
      connection,
      sink: config.sink.name,
    });
  }

  /** Opens the connection and looks for the dead-letter topics, so that the first call doesn't pay for it. */
  async open(topics: readonly string[], deadline: number): Promise<void> {
    await this.#options.connection.open(deadline);
    await this.#deadLetters.warnOfMissing(topics, { log: this.#options.log, deadline });
  }

  /**
   * Handles records that a trigger brought. If the trigger doesn't bring failed records again (`isRedelivered`), each
   * record ends as handled or as a dead letter, or has its Failure in the result.
   */
  async push(records: readonly ConsumerRecord[], { isRedelivered, deadline, ...call }: PushCall) {
    const startedAt = Date.now();
    const reserve = Math.min(DEAD_LETTER_RESERVE_MS, remaining(deadline) * 0.25);
    const topics = [...new Set(records.map(({ topic }) => topic))];
    const origin = this.#originOf(call);
    const { log } = origin;
    const [outcomes] = await Promise.all([
      processRecords(records, {
        ...this.#processOptions,
        isRedelivered,
        origin,
        startBefore: deadline - reserve,
        deadline: deadline - reserve,
        deadLetterDeadline: deadline,
      }),
      this.#deadLetters.warnOfMissing(topics, { log, deadline: warningDeadline(deadline) }),
    ]);
    const failures = records.flatMap((record, index) => {
      const outcome = outcomes[index];
      return isOpen(outcome) ? [{ record, failure: outcome ?? new Failure('SINK_FAILED', NOT_BEGUN) }] : [];
    });
    const { processed, deadLettered } = tally(outcomes);
    const answer = { mode: 'push', processed, failed: failures.length, deadLettered };
    handledBatches.publish({ ...answer, ms: Date.now() - startedAt });
    log[failures.length > 0 ? 'warn' : 'info']('consumed', { topics, ...answer });
    return { failures, answer };
  }

  /** Handles the records that wait in the topics. Throws a Failure where it can't go on. */
  async pull(
    wish: PullWish,
    config: PullConfig,
    deadline: number,
    call: Partial<CallOrigin> = {},
  ): Promise<PullAnswer> {
    const { connection } = this.#options;
    if (this.#group?.groupId !== config.groupId)
      this.#group = new GroupOffsets(connection, config.groupId, this.#options.log);
    const group = this.#group;
    const origin = this.#originOf(call);
    const { log } = origin;
    const warning = this.#deadLetters.warnOfMissing(config.topics, {
      log,
      deadline: warningDeadline(deadline),
    });
    try {
      const { config: handling } = this.#options;
      const parts = { group, deadLetters: this.#deadLetters, config: handling, reading: config, origin };
      const handlers = (times: PullTimes, notes: OffsetNotes) => this.#handler({ ...parts, times, notes });
      const sink = this.#sink;
      const ownOffsets = 'committed' in sink ? sink.committed?.bind(sink) : undefined;
      return await drain(wish, { connection, group, config, log, handlers, ownOffsets }, deadline);
    } finally {
      await warning;
    }
  }

  deadLetterTopicsOf(topics: readonly string[]): string[] {
    return [...new Set(topics.flatMap((topic) => this.#deadLetters.topicOf(topic) ?? []))];
  }

  /** Closes what the pipeline opened, before the process ends. */
  close(): Promise<void> {
    return this.#resources.close();
  }

  async #handler(pull: PullParts): Promise<PartitionHandler> {
    const own = await this.#sink.handlePulled?.(pull);
    if (own) return own;
    const { group, times, notes, origin } = pull;
    const committer = new Committer(group, { deadline: times.deadline, log: origin.log });
    return plainHandler(committer, notes, {
      ...this.#processOptions,
      isRedelivered: true,
      origin,
      startBefore: times.startBefore,
      deadline: times.handleBefore,
      deadLetterDeadline: times.deadline,
    });
  }

  #originOf({ requestId = '', environment, caller, ...call }: Partial<CallOrigin>): CallOrigin {
    const trace = traceOf(call);
    const known = {
      ...(requestId !== '' && { requestId }),
      ...(trace && { traceId: trace.traceId }),
      ...(caller !== undefined && { caller }),
    };
    return {
      requestId,
      caller,
      traceparent: undefined,
      ...trace,
      environment: environment ?? processEnvironment,
      log: withFields(this.#options.log, known),
    };
  }

  /** Throws CONFIG_INVALID where the sink takes no records without offsets. */
  get #processOptions(): Pick<ProcessOptions, 'sink' | 'config' | 'turns' | 'deadLetters'> {
    const sink = this.#sink;
    const { name } = this.#options.config.sink;
    if (!('write' in sink)) {
      throw new Failure(
        'CONFIG_INVALID',
        `CONSUME_SINK=${name} writes each record once by its offset, which a push does not bring: pull by a timer, or over HTTP`,
      );
    }
    return {
      sink,
      config: this.#options.config,
      turns: this.#turns,
      deadLetters: this.#deadLetters,
    };
  }
}

function warningDeadline(deadline: number): number {
  return Math.min(deadline, Date.now() + WARNING_WITHIN_MS);
}
