import { Failure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import type { ConsumerRecord, ProducerRecord } from '../../../src/record.ts';
import { transactionalIdOf } from '../pull/fenced-offset.ts';
import { nothingDone, type PartitionHandler } from '../pull/partition-handler.ts';
import { placeOf } from '../records/dead-letter.ts';
import type { ReplayTargets } from './replay-targets.ts';
import { type ReplayTarget, replayed } from './replayed.ts';

interface Judges {
  target: ReplayTarget;
  targets: ReplayTargets;
}

interface PublishOptions extends Judges {
  /** Publishes and commits. */
  handler: PartitionHandler;
  onReplayed: (record: ProducerRecord) => void;
}

/** Replays each partition up to the first dead letter that can't go back, which stays. */
export function publishing({ handler, onReplayed, ...judges }: PublishOptions): PartitionHandler {
  return {
    renew: (committed) => handler.renew(committed),
    begin: (position) => handler.begin(position),
    async handle(position, { records, nextOffset, leaderEpoch }) {
      const outputs = await judged(records, judges);
      const at = outputs.findIndex((output) => output instanceof Failure);
      const refusal = outputs[at];
      const whole = { records, nextOffset, leaderEpoch };
      const before = {
        records: records.slice(0, at),
        nextOffset: records[at]?.offset ?? nextOffset,
        leaderEpoch,
      };
      const result =
        at === 0 ? nothingDone(undefined) : await handler.handle(position, at < 0 ? whole : before);
      for (const output of outputs.slice(0, result.processed)) {
        if (!(output instanceof Failure)) onReplayed(output);
      }
      if (result.stop || !(refusal instanceof Failure)) return result;
      return { ...result, failed: 1, stop: refusal };
    },
  };
}

interface LookOptions extends Judges {
  connection: Connection;
  group: GroupOffsets;
  /** Epoch milliseconds. */
  deadline: number;
  onReplayed: (record: ProducerRecord) => void;
  onRefused: (refusal: Failure) => void;
  /** Called for a record that could go back but waits behind one that can't. */
  onHeld: () => void;
}

/** Tells what `publishing` would do with every dead letter, and writes and commits nothing. */
export function looking(options: LookOptions): PartitionHandler {
  const { connection, group, deadline, onReplayed, onRefused, onHeld, ...judges } = options;
  const holding = new Set<number>();
  return {
    renew: async () => {},
    async begin(position) {
      if (position.from >= position.end) return position;
      await requireTransactionalId(transactionalIdOf(group.groupId, position));
      // A run that has just ended may have committed more than is visible yet.
      const [committed] = await group.committed([position], deadline, { waitForTransactions: true });
      if (committed instanceof Failure) throw committed;
      const from = Math.max(position.from, committed?.offset ?? 0);
      return { ...position, from, committed: committed?.offset };
    },
    async handle({ partition }, { records, nextOffset }) {
      let processed = 0;
      for (const output of await judged(records, judges)) {
        if (output instanceof Failure) {
          holding.add(partition);
          onRefused(output);
        } else if (holding.has(partition)) {
          onHeld();
        } else {
          processed++;
          onReplayed(output);
        }
      }
      const failed = records.length - processed;
      return { processed, deadLettered: 0, failed, to: nextOffset, stop: undefined };
    },
  };

  /** Describe on the id can be checked without a trace, but Write can't. */
  async function requireTransactionalId(id: string): Promise<void> {
    try {
      await connection.coordinator('transaction', id, deadline);
    } catch (error) {
      // A coordinator that is not ready yet will be.
      if (!(error instanceof Failure) || !error.retriable) throw error;
    }
  }
}

/** Each record as it goes back, or why it can't. */
async function judged(
  records: readonly ConsumerRecord[],
  { target, targets }: Judges,
): Promise<(ProducerRecord | Failure)[]> {
  const outputs: (ProducerRecord | Failure)[] = [];
  for (const record of records) {
    const output = replayed(record, target);
    const refusal = output instanceof Failure ? undefined : await targets.refusal(output);
    outputs.push(refusal ? new Failure(refusal.code, `${placeOf(record)}: ${refusal.message}`) : output);
  }
  return outputs;
}
