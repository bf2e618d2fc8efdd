/**
 * Found 2026-11-28 (E5): with less than 13 s left, a call's parts end at fractions of a millisecond, which
 * `AbortSignal.timeout` refuses; transformRecord was not called then, and all records failed with "openResources of the
 * pipeline failed".
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Consumer } from '../../functions/consume-batch/consume.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import { consumeDefaults } from '../support/consumer.ts';
import { recordingLog } from '../support/log.ts';
import { producerDefaults } from '../support/producer.ts';

test('transformRecord is called however little time is left', async () => {
  const log = recordingLog();
  const nowhere = {
    bootstrapServers: [{ host: '127.0.0.1', port: 1 }],
    securityProtocol: 'PLAINTEXT',
    ...{ sasl: undefined, ssl: undefined, clientId: 'test' },
    ...{ requestTimeout: undefined, connectionTimeout: undefined },
  } as const;
  const connection = new Connection(
    clientOptions({ ...nowhere, bootstrapServers: [...nowhere.bootstrapServers] }),
    log,
  );
  const producer = new Producer(connection, producerDefaults, log);
  const config = { ...consumeDefaults, deadLetterTopic: undefined, sink: { name: 'log' } } as const;
  const pipeline = { transformRecord: <T>(record: T) => record };
  const consumer = new Consumer({ connection, producer, config, log, pipeline });
  const record = { topic: 'orders', key: null, value: Buffer.from('1'), headers: [] };
  // A quarter is kept back: three of four have a fraction.
  for (const ms of [3_001, 3_002, 3_003, 3_004]) {
    const { answer } = await consumer.push([record], { isRedelivered: true, deadline: Date.now() + ms });
    assert.equal(answer.processed, 1, `${ms} ms`);
  }
});
