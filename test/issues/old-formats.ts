import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { PermanentError } from '../../functions/consume-batch/records/record-failure.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, failed, newProducer, record, send } from '../support/producer.ts';
import { numbered, publish } from '../support/records.ts';

/** Of the broker: one of the records has 3 MB. */
export const LARGE = { 'message.max.bytes': `${8 << 20}` };
const header = { headers: [{ key: 'h', value: Buffer.from('x') }] };

/** Needs a broker below 3.0, with LARGE. */
export function oldFormats(cluster: KafkaCluster): void {
  const connection = connectionConfigFor(cluster);
  const inFormat = (version: string): Promise<string> =>
    newTopic(cluster, { partitions: 1, config: { 'message.format.version': version } });

  for (const [version, magic] of [
    ['0.9.0', 0],
    ['0.10.2', 1],
  ] as const) {
    describe(`a topic of message format ${version}`, () => {
      test('is published to without idempotence, which is logged once; other topics keep it', async () => {
        const [topic, other] = [await inFormat(version), await newTopic(cluster, { partitions: 1 })];
        const log = recordingLog();
        const { producer } = newProducer(connection, {}, log);
        for (let offset = 0; offset < 3; offset++) {
          const outcomes = await send(producer, record(topic, 'v'), record(other, 'v'));
          assert.deepEqual(outcomes.map(acknowledged), [
            { partition: 0, offset },
            { partition: 0, offset },
          ]);
        }
        const warnings = log.lines.filter(({ level }) => level === 'warn');
        assert.deepEqual(
          warnings.map(({ message, fields }) => [message, fields?.topic]),
          [['publishing to a topic without idempotence', topic]],
        );
        assert.match(String(warnings[0]?.fields?.reason), /older than Kafka 0\.11.*message\.format\.version/);
      });

      test('idempotence that is asked for by name: CONFIG_INVALID', async () => {
        const { producer } = newProducer(connection, { idempotence: 'required' });
        const [outcome] = await send(producer, record(await inFormat(version), 'v'));
        assert.equal(failed(outcome).code, 'CONFIG_INVALID');
        assert.match(
          failed(outcome).message,
          /^KAFKA_ENABLE_IDEMPOTENCE is true.*message format is older than/,
        );
      });

      for (const acks of ['all', '1'] as const) {
        test(`a record with a header fails by itself, and says why: acks=${acks}`, async () => {
          const topic = await inFormat(version);
          const { producer } = newProducer(connection, {
            acks,
            idempotence: acks === 'all' ? 'preferred' : 'off',
          });
          const [first, second, third] = await send(
            producer,
            ...[record(topic, 'a'), record(topic, 'b', header), record(topic, 'c')],
          );
          assert.deepEqual([first, third].map(acknowledged), [
            { partition: 0, offset: 0 },
            { partition: 0, offset: 1 },
          ]);
          assert.equal(failed(second).code, 'INVALID_RECORD');
          assert.match(
            failed(second).message,
            /message format is older than Kafka 0\.11, and has no headers/,
          );
        });
      }

      test('the topic sink and dead letters, which need what it lacks, stop at once and say so', async () => {
        const topic = await newTopic(cluster, { partitions: 1 });
        const old = await inFormat(version);
        await publish(cluster, topic, numbered(5));
        const pullOf = (groupId: string, config: Parameters<typeof newConsumer>[2]) =>
          newConsumer(cluster, { groupId, topics: [topic] }, config).pull();
        const sink: ConsumeConfig['sink'] = { name: 'topic', topic: old };
        await assert.rejects(pullOf(`${topic}-a`, { sink }), (error: Error) => {
          assert.match(error.message, /message format is older than Kafka 0\.11/);
          return failsWith('CONFIG_INVALID')(error);
        });
        const handle = () => Promise.reject(new PermanentError('no'));
        await assert.rejects(pullOf(`${topic}-b`, { handle, deadLetterTopic: old }), (error: Error) => {
          assert.match(error.message, /message format is older than Kafka 0\.11, and has no headers/);
          return failsWith('DEAD_LETTER_FAILED')(error);
        });
      });

      for (const compression of ['none', 'gzip', 'lz4'] as const) {
        for (const size of [1, 3_000_000]) {
          test(`values of ${size} bytes, ${compression}: not read, or skipped where that is wanted`, async () => {
            const topic = await inFormat(version);
            const limits = { maxRequestSize: 7 << 20, compression } as const;
            const { producer } = newProducer(connection, { ...limits, idempotence: 'off' });
            // Half of it can be compressed.
            const value = Buffer.concat([randomBytes(Math.ceil(size / 2)), Buffer.alloc(size >> 1)]);
            const outcomes = await send(producer, record(topic, value), record(topic, value));
            assert.deepEqual(
              outcomes.map((outcome) => acknowledged(outcome).offset),
              [0, 1],
            );
            const stopped = newConsumer(cluster, topic);
            await assert.rejects(stopped.pull(), (error: Error) => {
              assert.match(
                error.message,
                new RegExp(`offsets 0 to [01] .* older than Kafka 0\\.11 \\(magic ${magic}\\)`),
              );
              return failsWith('BATCH_UNREADABLE')(error);
            });
            const skipping: Parameters<typeof newConsumer>[1] = {
              ...{ groupId: `${topic}-g`, topics: [topic], unreadable: 'skip' },
            };
            const { processed, partitions } = await newConsumer(cluster, skipping).pull();
            assert.deepEqual([processed, partitions[0]?.to, partitions[0]?.lag], [0, 2, 0]);
          });
        }
      }
    });
  }
}
