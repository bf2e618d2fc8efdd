import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type KafkaCluster, startKafka, type TopicOptions } from '../../local/kafka/cluster.ts';
import { kafkaForTests } from './cluster.ts';

/** The log cleaner doesn't wait, so that a test of compaction needn't. */
const OPTIONS = { properties: { 'log.cleaner.backoff.ms': '100', 'log.initial.task.delay.ms': '100' } };
const ADDRESS = 'TEST_CLUSTER_URL';

/**
 * The broker that the files of a run share, each with topics and groups of its own: starting one takes seconds.
 * A file that `test/run.ts` doesn't run starts one for itself. Tests that stop brokers, issue certificates or
 * list what a cluster has need `kafkaForTests`.
 */
export async function sharedCluster(): Promise<KafkaCluster> {
  const address = process.env[ADDRESS];
  if (address === undefined) return kafkaForTests(OPTIONS);
  const call = async (...words: unknown[]) => {
    const response = await fetch(address, { method: 'POST', body: JSON.stringify(words) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  const createTopic = (name: string, options?: TopicOptions) => call('createTopic', name, options);
  const partitionsOf = (name: string) => call('partitionsOf', name);
  return Object.assign((await call('describe')) as KafkaCluster, { createTopic, partitionsOf });
}

/** Starts the shared broker as soon as a test file, which has these `variables`, asks for it. */
export async function offerCluster(): Promise<{ variables: NodeJS.ProcessEnv; close(): Promise<void> }> {
  let starting: Promise<KafkaCluster> | undefined;
  const answer = async ([word, topic, options]: [string, string, TopicOptions?]) => {
    starting ??= startKafka(OPTIONS);
    const cluster = await starting;
    if (word === 'partitionsOf') return cluster.partitionsOf(topic);
    if (word === 'createTopic') return cluster.createTopic(topic, options);
    return cluster;
  };
  const server = createServer(async (request, response) => {
    try {
      const result = await answer((await json(request)) as [string, string]);
      response.end(JSON.stringify(result ?? null));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    variables: { [ADDRESS]: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    async close() {
      server.close();
      server.closeAllConnections();
      // One that didn't start has failed the files that asked for it.
      await starting?.then(
        (cluster) => cluster.stop(),
        () => {},
      );
    },
  };
}
