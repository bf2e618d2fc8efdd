import type { TransactionContext } from '../../../functions/consume-batch/records/pipeline.ts';
import type { ConsumerRecord } from '../../../src/record.ts';

/** Sums what the records hold, in one row a topic. */
export async function handleTransaction(records: readonly ConsumerRecord[], { sql }: TransactionContext) {
  for (const { topic, value } of records) {
    await sql(
      'INSERT INTO sums AS s VALUES ($1, $2) ON CONFLICT (topic) DO UPDATE SET total = s.total + EXCLUDED.total',
      [topic, `${value}`],
    );
  }
}
