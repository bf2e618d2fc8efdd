import type { Session } from '../../../src/kafka/connection/session.ts';
import { kafkaErrorName, kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { describeConfigsRequest } from '../../../src/kafka/wire/describe-configs.ts';
import type { MetadataResponse, MetadataTopic } from '../../../src/kafka/wire/metadata.ts';
import type { CheckConfig } from '../config.ts';
import { Broken, type Notice, type Passed } from '../ladder/ladder.ts';
import type { Run } from '../ladder/run.ts';
import type { TopicReport } from '../report.ts';

type Settings = Pick<TopicReport, 'minInSyncReplicas' | 'maxMessageBytes'>;

const UNSEEN: Settings = { minInSyncReplicas: null, maxMessageBytes: null };

/** The topic's partitions, without its settings. */
export function topicReport({ topics }: MetadataResponse, name: string): TopicReport {
  const partitions = (topics.find((topic) => topic.name === name)?.partitions ?? [])
    .map(({ partition, leader, replicas, isr }) => ({ partition, leader, replicas, isr }))
    .sort((a, b) => a.partition - b.partition);
  return { name, partitions, ...UNSEEN };
}

/** Breaks where nobody could publish to the topic or read from it. */
export function judgeTopic(
  metadata: MetadataTopic | undefined,
  { name, partitions, minInSyncReplicas }: TopicReport,
  check: CheckConfig,
): Passed<undefined> {
  const refused = metadata
    ? refusal(metadata)
    : new Broken('TOPIC_MISSING', 'not in the metadata', { target: name });
  if (refused) throw refused;
  const leaderless = partitions.filter(({ leader }) => leader < 0);
  const [first] = leaderless;
  if (first) {
    const evidence = `${leaderless.length} of ${partitions.length} partitions have no leader: ${numbers(leaderless)}`;
    throw new Broken('NO_LEADER', evidence, { target: `${name}-${first.partition}` });
  }
  const short = partitions.filter(({ isr }) => minInSyncReplicas !== null && isr.length < minInSyncReplicas);
  const [shortest] = short;
  if (shortest && check.acksAll && check.needsWrite) {
    const evidence = `${numbers(short)}: ${shortest.isr.length} replicas in sync, min.insync.replicas is ${minInSyncReplicas}`;
    throw new Broken('NOT_ENOUGH_REPLICAS', evidence, { target: `${name}-${shortest.partition}` });
  }
  const notices = underReplicated(name, partitions);
  const evidence = `${partitions.length} partitions, all with a leader`;
  return { value: undefined, evidence, notices };
}

/** Warns of dead-letter topics that don't exist, where the cluster says so. */
export function missingDeadLetterTopics({ topics }: MetadataResponse, names: readonly string[]): Notice[] {
  const missing = names.filter((name) =>
    topics.some((topic) => topic.name === name && topic.errorCode === kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION),
  );
  return missing.map((name) => ({
    warning: 'DEAD_LETTER_TOPIC_MISSING',
    target: name,
    detail: `${name} does not exist`,
  }));
}

function refusal({ errorCode, name }: MetadataTopic): Broken | undefined {
  const evidence = `Metadata answers ${kafkaErrorName(errorCode)}`;
  switch (errorCode) {
    case kafkaErrors.NONE:
    // The partitions say which of them has no leader.
    case kafkaErrors.LEADER_NOT_AVAILABLE:
      return undefined;
    case kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION:
      return new Broken('TOPIC_MISSING', evidence, { target: name });
    case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
      return new Broken('ACL_TOPIC_DESCRIBE', evidence, { target: name });
    default:
      return new Broken('TOPIC_INVALID', evidence, { target: name });
  }
}

function underReplicated(name: string, partitions: TopicReport['partitions']): Notice[] {
  const behind = partitions.filter(({ replicas, isr }) => isr.length < replicas.length);
  if (behind.length === 0) return [];
  const detail = `${behind.length} of ${partitions.length} partitions lack a replica: ${numbers(behind)}`;
  return [{ warning: 'UNDER_REPLICATED', target: name, detail }];
}

function numbers(partitions: readonly { partition: number }[]): string {
  const shown = partitions.slice(0, 10).map(({ partition }) => partition);
  return `${shown.join(', ')}${partitions.length > shown.length ? ' …' : ''}`;
}

/** Reading settings needs DescribeConfigs, which this user may not have. */
export async function readSettings(
  session: Session,
  metadata: MetadataTopic | undefined,
  { deadline, log }: Pick<Run, 'deadline' | 'log'>,
): Promise<Settings> {
  const isSeen = metadata?.operations?.includes('DESCRIBE_CONFIGS') ?? false;
  if (!metadata || !isSeen) return UNSEEN;
  try {
    const settings = await session.send(
      describeConfigsRequest('topic', metadata.name, ['min.insync.replicas', 'max.message.bytes']),
      deadline,
    );
    const read = (name: string) => {
      const value = Number(settings.get(name));
      return Number.isSafeInteger(value) && value > 0 ? value : null;
    };
    return { minInSyncReplicas: read('min.insync.replicas'), maxMessageBytes: read('max.message.bytes') };
  } catch (error) {
    log.debug('the settings of the topic could not be read', { error });
    return UNSEEN;
  }
}
