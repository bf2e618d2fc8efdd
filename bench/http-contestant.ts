/** One of the servers that `bench http` compares; tells its port to the process that started it. */
import type { AddressInfo } from 'node:net';
import { Partitioners } from 'kafkajs';
import { httpConfig } from '../functions/http/config.ts';
import { createHttpServer, type Serve } from '../functions/http/server.ts';
import { produceConfig } from '../functions/produce/config.ts';
import { createPublish } from '../functions/produce/publish.ts';
import { warm } from '../functions/produce/warm.ts';
import { jsonResponse } from '../src/http/message.ts';
import type { Producer } from '../src/kafka/produce/producer.ts';
import { createLog } from '../src/log.ts';
import { readConfig } from '../src/variables.ts';
import { kafkajs } from './kafkajs.ts';

const environment = (name: string) => process.env[name];

const serves: Record<string, () => Promise<Serve>> = {
  ours,
  kafkajs: bareSend,
  'no Kafka': noKafka,
  'bare HTTP': bareHttp,
};
const serve = await serves[process.argv[2] ?? '']?.();
if (!serve) throw new Error(`There is no contestant ${process.argv[2]}`);
const server = createHttpServer(serve, readConfig(environment, httpConfig));
process.on('SIGINT', () => process.exit(0));
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

async function ours(): Promise<Serve> {
  const { publish } = warm(environment);
  return (request) => publish(request, Date.now() + 5_000);
}

async function bareSend(): Promise<Serve> {
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafkajs(process.env).producer({ idempotent: true, createPartitioner });
  await producer.connect();
  return async ({ body }) => {
    const { records } = JSON.parse(body.toString()) as { records: { key: unknown; value: unknown }[] };
    const messages = records.map(({ key, value }) => ({
      key: JSON.stringify(key),
      value: JSON.stringify(value),
    }));
    return jsonResponse(200, await producer.send({ topic: 'bench', acks: -1, messages }));
  };
}

/** Reads, validates and answers as ours does; the records go nowhere. */
async function noKafka(): Promise<Serve> {
  const send = async (records: readonly unknown[]) => records.map((_, offset) => ({ partition: 0, offset }));
  const config = readConfig(environment, produceConfig);
  const producer = { send } as unknown as Producer;
  const publish = createPublish({ producer, config, log: createLog('warn') });
  return (request) => publish(request, Date.now() + 5_000);
}

async function bareHttp(): Promise<Serve> {
  return async () =>
    jsonResponse(200, { offsets: [{ partition: 0, offset: 0, error_code: null, error: null }] });
}
