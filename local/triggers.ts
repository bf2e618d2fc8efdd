/** The timers and Kafka triggers that `serverless.yml` gives a function. */
import { certificatesIn } from '../build/certificates.ts';
import type { FunctionDescription, TimerTrigger, Trigger } from '../deploy/description.ts';
import { pemOf } from '../src/certificate-reader.ts';
import { tlsOptions } from '../src/kafka/connection/client-options.ts';
import { connectionConfig } from '../src/kafka/connection/config.ts';
import { kafkajsConfig } from '../src/kafka/kafkajs-config.ts';
import { readConfig } from '../src/variables.ts';
import type { Values } from './function-variables.ts';
import { startKafkaTrigger } from './functiongraph/kafka-trigger.ts';
import type { InvocationResult, Runtime } from './functiongraph/runtime.ts';
import { startTimerTrigger } from './functiongraph/timer.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export interface TriggeredFunction {
  description: FunctionDescription;
  runtime: Runtime;
  variables: Values;
}

export interface RunningTrigger {
  /** Such as `consume-batch every 1m (timer pull)`. */
  label: string;
  stop(): Promise<void>;
}

interface TriggerOptions {
  /** The folder of certificates. */
  certificates: string;
  onNotice: (text: string) => void;
}

/**
 * Starts the triggers that are switched on. If a function has a Kafka trigger, its timers don't run: both would handle
 * every record.
 */
export async function startTriggers(
  triggered: TriggeredFunction,
  options: TriggerOptions,
): Promise<RunningTrigger[]> {
  const { key, triggers } = triggered.description;
  const active = triggers.filter(({ status }) => status === 'ACTIVE');
  const kafka = active.filter(isKafka);
  const timers = active.filter((trigger) => trigger.type === 'TIMER');
  if (kafka.length > 0 && timers.length > 0) {
    options.onNotice(
      `${key}: its Kafka trigger is on, so its timer is off here; a deployment has both unless PULL_TIMER=false.`,
    );
  }
  const running = kafka.length > 0 ? [] : timers.flatMap((timer) => startTimer(triggered, timer, options));
  for (const trigger of kafka) running.push(await startKafka(triggered, trigger, options));
  return running;
}

type Kafka = Trigger & { type: 'KAFKA' | 'OPENSOURCEKAFKA' };

function isKafka(trigger: Trigger): trigger is Kafka {
  return trigger.type === 'KAFKA' || trigger.type === 'OPENSOURCEKAFKA';
}

function startTimer(
  { description: { key }, runtime }: TriggeredFunction,
  { name, schedule, userEvent }: TimerTrigger,
  { onNotice }: TriggerOptions,
): RunningTrigger[] {
  const everyMs = intervalOf(schedule);
  if (everyMs === undefined) {
    onNotice(`${key}: timer ${name} does not run here: "${schedule}" is not a rate.`);
    return [];
  }
  const onResult = failureReport(`${key}: timer ${name}`, onNotice);
  const timer = startTimerTrigger({ runtime, name, everyMs, userEvent, onResult });
  return [{ label: `${key} every ${schedule} (timer ${name})`, stop: async () => timer.stop() }];
}

/** Milliseconds of `5m`, `@every 90s`; undefined for a time of day. */
function intervalOf(schedule: string): number | undefined {
  const text = schedule.replace(/^@every /, '');
  if (!/^(\d+[smhd])+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? 0), 0);
}

/** Joins the pull's own group, so that a pull beside it is refused and handles nothing twice. */
async function startKafka(
  { description: { key }, runtime, variables }: TriggeredFunction,
  { topics, batchSize }: Kafka,
  { certificates, onNotice }: TriggerOptions,
): Promise<RunningTrigger> {
  const environment = (name: string) => variables[name];
  const { ssl } = readConfig(environment, connectionConfig);
  const bundled = pemOf((await certificatesIn(certificates)).map(({ certificate }) => certificate));
  const trigger = await startKafkaTrigger({
    runtime,
    topics,
    batchSize,
    ...(variables.KAFKA_GROUP_ID && { groupId: variables.KAFKA_GROUP_ID }),
    kafka: { ...kafkajsConfig(environment), ssl: ssl ? tlsOptions(ssl, bundled) : false },
    onResult: failureReport(`${key}: Kafka trigger, which does not deliver the records again`, onNotice),
  });
  return {
    label: `${key} with what is published to ${topics.join(', ')} (Kafka trigger)`,
    stop: trigger.stop,
  };
}

function failureReport(what: string, onNotice: (text: string) => void) {
  return (result: InvocationResult) => {
    if (!result.ok) onNotice(`${what}: ${result.error.errorMessage}`);
  };
}
