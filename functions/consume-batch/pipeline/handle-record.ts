// This is the file to rewrite: what your function does with one record.
import * as v from 'valibot';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { RecordContext } from '../records/pipeline.ts';
import { PermanentError, PoisonError } from '../records/record-failure.ts';

/** What the topic's values look like. Members that are not named here pass. */
const orderSchema = v.looseObject({
  id: v.optional(v.union([v.string(), v.number()])),
  total: v.optional(v.pipe(v.number(), v.minValue(0, 'must not be negative'))),
});

type Order = v.InferOutput<typeof orderSchema>;

/**
 * Handles one record. It may come more than once (after a crash, say), so do the same thing then.
 * Return when the record is done; throw when it is not: TransientError to have it tried again,
 * PermanentError or PoisonError for the dead-letter topic at once, anything else for a few attempts and
 * then the dead-letter topic. Export `handleBatch(records, context)` instead to get the records of a partition
 * together; it returns those that failed, as `{index, error}[]`, or throws for all of them.
 *
 * The context has `log`, `environment('DATABASE_URL')`, what resources.ts opened, the deadline and its signal.
 * `record.key`, `record.value` and header values are views of a larger buffer that is dropped after the
 * batch: copy (`Buffer.from(record.value)`) what you keep longer.
 */
export async function handleRecord(record: ConsumerRecord, context: RecordContext): Promise<void> {
  // A tombstone says that the order of this key is gone.
  if (record.value === null) return;
  const order = decodeOrder(record.value);
  await handOn(order, record, context);
}

function decodeOrder(value: Buffer): Order {
  const { success, output, issues } = v.safeParse(orderSchema, parseJson(value));
  if (success) return output;
  const problems = issues.map((issue) => `${v.getDotPath(issue) ?? 'value'}: ${issue.message}`);
  throw new PermanentError(`not an order: ${problems.join('; ')}`);
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch (cause) {
    throw new PoisonError('the value is not JSON', { cause });
  }
}

/** Where the order goes next: a database, another service. */
async function handOn(order: Order, { topic, partition, offset }: ConsumerRecord, { log }: RecordContext) {
  log.debug('order', { id: order.id, total: order.total, topic, partition, offset });
}
