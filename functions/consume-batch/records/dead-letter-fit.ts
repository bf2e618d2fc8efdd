import { remaining } from '../../../src/deadline.ts';
import type { Failure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import { describeConfigsRequest } from '../../../src/kafka/wire/describe-configs.ts';
import { recordBodySize, singleBatchSize } from '../../../src/kafka/wire/records/record-batch.ts';
import type { ProducerRecord } from '../../../src/record.ts';
import { type DeadLetter, deadLetterFailure, type Telling, tellings } from './dead-letter.ts';

/** The topic's limit is only for a message, so the look-up must not take a call's last seconds. */
const LOOK_UP_MS = 1_000;

/**
 * The dead letter as its topic may take it after this refusal: with less beside the record where it was too large,
 * with the present time where the record's own may be invalid. Undefined where only the record itself is left.
 */
export function afterRefusal(dead: DeadLetter, { code }: Failure): DeadLetter | undefined {
  if (code === 'INVALID_RECORD') {
    const canBeMoved = dead.record.timestamp !== undefined && !dead.isOfNow;
    return canBeMoved ? { ...dead, isOfNow: true } : undefined;
  }
  if (code !== 'RECORD_TOO_LARGE') return undefined;
  const tells: Telling | undefined = tellings[tellings.indexOf(dead.tells ?? 'everything') + 1];
  return tells && { ...dead, tells };
}

/** Why the record can't be dead-lettered. Where it is too large, the message has its size, the limit and a remedy. */
export async function refusedFailure(
  letter: ProducerRecord,
  dead: DeadLetter,
  refusal: Failure,
  { connection, deadline }: { connection: Connection; deadline: number },
): Promise<Failure> {
  const remedied = (remedy: string) => deadLetterFailure(letter, dead, refusal, remedy);
  if (refusal.code !== 'RECORD_TOO_LARGE') return remedied('');
  // Our message has both sizes, the broker's has none.
  if (refusal.message.includes('KAFKA_MAX_REQUEST_SIZE')) return remedied(': raise KAFKA_MAX_REQUEST_SIZE');
  const size = singleBatchSize(recordBodySize(letter));
  const limit = (await maxMessageBytes(letter.topic, connection, deadline)) ?? 'not shown to this user';
  return remedied(
    `; the record alone takes ${size} bytes uncompressed, max.message.bytes of ${letter.topic} is ${limit}: raise it, or compress (KAFKA_COMPRESSION_TYPE)`,
  );
}

async function maxMessageBytes(
  topic: string,
  connection: Connection,
  deadline: number,
): Promise<string | undefined> {
  const by = Date.now() + Math.min(LOOK_UP_MS, remaining(deadline));
  try {
    const broker = await connection.anyBroker(by);
    const settings = await broker.send(describeConfigsRequest('topic', topic, ['max.message.bytes']), by);
    return settings.get('max.message.bytes') ?? undefined;
  } catch {
    return undefined;
  }
}
