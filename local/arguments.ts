import { parseArgs } from 'node:util';
import { isTopicName, TOPIC_NAME_RULE } from '../src/topic.ts';
import type { SandboxTopic } from './kafka/sandbox.ts';
import { type LocalSink, sinkNames } from './sinks.ts';

export const USAGE = `Usage: npm start [-- [--topics <topic>[:<partitions>],…] [--sink postgres|s3] [--keep] [--triggers]]

  --topics    adds topics to the embedded Kafka, such as payments,audit:12 (6 partitions unless given)
  --sink      starts a PostgreSQL or an S3 server beside the embedded Kafka, and has consume-batch write into it
  --keep      keeps the embedded Kafka's data, users and ports in .kafka-functions/ for the next start with --keep
  --triggers  runs the timers and the Kafka trigger of serverless.yml also against a cluster of your own

Functions, variables and triggers are those of serverless.yml, with the values of this shell and .env. The gateway's
port is PORT, else 8080. If this shell (not .env) has KAFKA_BOOTSTRAP_SERVERS, the functions use that cluster.`;
const MAX_PARTITIONS = 1_000;

export interface StartArguments {
  help: boolean;
  topics: SandboxTopic[];
  sink: LocalSink | undefined;
  keep: boolean;
  triggers: boolean;
}

/** Throws for a command line that it doesn't understand. */
export function startArguments(args = process.argv.slice(2)): StartArguments {
  const { values } = parseArgs({
    args,
    options: {
      topics: { type: 'string', multiple: true, default: [] },
      sink: { type: 'string' },
      keep: { type: 'boolean', default: false },
      triggers: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const sink = sinkNames.find((name) => name === values.sink);
  if (values.sink !== undefined && !sink) {
    throw new Error(`--sink ${values.sink}: there is ${sinkNames.join(', ')}`);
  }
  return { ...values, sink, topics: values.topics.flatMap((list) => list.split(',').map(topic)) };
}

function topic(text: string): SandboxTopic {
  const [name = '', partitions, ...rest] = text.trim().split(':');
  if (!isTopicName(name) || rest.length > 0) {
    throw new Error(
      `--topics ${text}: it takes <topic> or <topic>:<partitions>; a topic is ${TOPIC_NAME_RULE}`,
    );
  }
  const count = Number(partitions);
  if (partitions !== undefined && !(/^\d+$/.test(partitions) && count >= 1 && count <= MAX_PARTITIONS)) {
    throw new Error(`--topics ${text}: the partitions must be a whole number from 1 to ${MAX_PARTITIONS}`);
  }
  return { name, partitions: partitions === undefined ? undefined : count };
}
