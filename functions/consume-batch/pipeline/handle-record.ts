// This is the file to rewrite: what your function does with one record.
import * as v from 'valibot';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { RecordContext } from '../records/pipeline.ts';
import { PermanentError, PoisonError } from '../records/record-failure.ts';

/** The shape of the topic's values. Other members pass. */
const orderSchema = v.looseObject({
  id: v.optional(v.union([v.string(), v.number()])),
  total: v.optional(v.pipe(v.number(), v.minValue(0, 'must not be negative'))),
});

type Order = v.InferOutput<typeof orderSchema>;

/**
 * Handles one record. It may come more than once, such as after a crash, so handling it again must have the same
 * effect.
 *
 * Return when the record is done. Throw when it is not: TransientError to have it tried again, PermanentError or
 * PoisonError to send it to the dead-letter topic at once. Any other error gets a few attempts and then the
 * dead-letter topic. To get the records of a partition together, export `handleBatch(records, context)` instead; it
 * returns those that failed, as `{index, error}[]`, or throws for all of them.
 *
 * The context has `log`, `environment('DATABASE_URL')`, whatever resources.ts opened, the deadline and its signal.
 * `record.key`, `record.value` and header values are views of a larger buffer that is dropped after the batch: copy
 * (`Buffer.from(record.value)`) what you keep longer.
 */
export async function handleRecord(record: ConsumerRecord, context: RecordContext): Promise<void> {
  // A tombstone means that the order of this key was deleted.
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

/** Passes the order on, to a database or another service. */
async function handOn(order: Order, { topic, partition, offset }: ConsumerRecord, { log }: RecordContext) {
  log.debug('order', { id: order.id, total: order.total, topic, partition, offset });
}
