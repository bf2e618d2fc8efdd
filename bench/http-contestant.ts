/** A server that `bench http` compares with ours. It sends its port to the process that started it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Partitioners } from 'kafkajs';
import { httpConfig } from '../functions/http/config.ts';
import { createHttpServer } from '../functions/http/server.ts';
import { produceConfig } from '../functions/produce/config.ts';
import { createRoute } from '../functions/produce/publish.ts';
import type { Producer } from '../src/kafka/produce/producer.ts';
import { createLog } from '../src/log.ts';
import { readConfig } from '../src/variables.ts';
import { kafkajs } from './kafkajs.ts';

const environment = (name: string) => process.env[name];

interface Posted {
  records: { key: unknown; value: unknown }[];
}

const contestants: Record<string, () => Promise<Server>> = {
  kafkajs: bareSend,
  'no Kafka': noKafka,
  'bare HTTP': async () => plainServer(async () => [{ partition: 0, offset: 0 }]),
};
const server = await contestants[process.argv[2] ?? '']?.();
if (!server) throw new Error(`There is no contestant ${process.argv[2]}`);
process.on('SIGINT', () => process.exit(0));
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

/** As one would write it by hand: Node.js's own server, the whole body, JSON. */
function plainServer(publish: (posted: Posted) => Promise<unknown>): Server {
  return createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const offsets = await publish(JSON.parse(Buffer.concat(chunks).toString()) as Posted);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ offsets }));
    });
  });
}

async function bareSend(): Promise<Server> {
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafkajs(process.env).producer({ idempotent: true, createPartitioner });
  await producer.connect();
  return plainServer(({ records }) => {
    const messages = records.map(({ key, value }) => ({
      key: JSON.stringify(key),
      value: JSON.stringify(value),
    }));
    return producer.send({ topic: 'bench', acks: -1, messages });
  });
}

/** Ours, but the records go nowhere: it reads, validates and answers. */
async function noKafka(): Promise<Server> {
  const send = async (records: readonly unknown[]) => records.map((_, offset) => ({ partition: 0, offset }));
  const config = readConfig(environment, produceConfig);
  const producer = { send } as unknown as Producer;
  const route = createRoute({ producer, config, log: createLog('warn') });
  return createHttpServer(route, readConfig(environment, httpConfig));
}
