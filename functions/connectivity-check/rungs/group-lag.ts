import { groupBy } from '../../../src/group-by.ts';
import type { Session } from '../../../src/kafka/connection/session.ts';
import { kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { byPartition, type TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import { type LogEnd, listOffsetsRequest } from '../../../src/kafka/wire/list-offsets.ts';
import type { MetadataTopic } from '../../../src/kafka/wire/metadata.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { CheckConfig } from '../config.ts';
import type { Notice } from '../ladder/ladder.ts';
import type { GroupReport } from '../report.ts';
import type { GroupAsking } from './group.ts';

type PartitionLag = GroupReport['partitions'][number];
/** `committed` is null where the group has none. */
type Committed = TopicPartition & { committed: number | null };

/** The group's lag by topic and partition. Each leader is asked once. */
export async function lags(
  topics: readonly MetadataTopic[],
  committed: readonly CommittedOffset[],
  { groupTopics, autoOffsetReset }: CheckConfig,
  { sessionOf, deadline }: GroupAsking,
): Promise<PartitionLag[]> {
  const committedOf = byPartition(committed);
  const offsets = topics.flatMap(({ name: topic, partitions }) =>
    partitions.flatMap(({ partition, leader }) => {
      const offset = committedOf({ topic, partition })?.offset;
      if (leader < 0 || (offset === undefined && !groupTopics.includes(topic))) return [];
      return [{ leader, at: { topic, partition, committed: offset ?? null } }];
    }),
  );
  const found = await Promise.all(
    [...groupBy(offsets, ({ leader }) => leader)].map(([leader, led]) =>
      lagsAt(
        sessionOf(leader),
        led.map(({ at }) => at),
        { autoOffsetReset, deadline },
      ),
    ),
  );
  return found.flat().sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
}

/** Warns of a topic that has records but no committed offset: nobody has read it yet, or not as this group. */
export function notBegun(
  { id, partitions }: GroupReport,
  { autoOffsetReset }: Pick<CheckConfig, 'autoOffsetReset'>,
): Notice[] {
  const topics = new Set(partitions.map(({ topic }) => topic));
  return [...topics].flatMap((topic) => {
    const own = partitions.filter((partition) => partition.topic === topic);
    const isEmpty = own.every(({ end }) => end === 0);
    if (isEmpty || own.some(({ committed }) => committed !== null)) return [];
    const behind = own.reduce((sum, { lag }) => sum + lag, 0);
    const beginning = {
      earliest: `begin with the ${behind} records that are there`,
      latest: 'begin at the end, past what is there now',
      none: `refuse to begin, before the ${behind} records that are there`,
    };
    const detail = `Group ${id} has committed no offset of topic ${topic}; with KAFKA_AUTO_OFFSET_RESET=${autoOffsetReset} it would ${beginning[autoOffsetReset]}`;
    return [{ warning: 'GROUP_NOT_BEGUN' as const, target: id, detail }];
  });
}

async function lagsAt(
  session: Session | undefined,
  offsets: readonly Committed[],
  { autoOffsetReset, deadline }: Pick<CheckConfig, 'autoOffsetReset'> & { deadline: number },
): Promise<PartitionLag[]> {
  if (!session) return [];
  const ask = async (of: readonly Committed[], which: LogEnd) => {
    if (of.length === 0) return () => undefined;
    const listed = await session.send(listOffsetsRequest(of, which, 'read_uncommitted'), deadline);
    return byPartition(listed.filter(({ errorCode }) => errorCode === kafkaErrors.NONE));
  };
  const uncommitted = offsets.filter(({ committed }) => committed === null);
  const [endOf, startOf] = await Promise.all([ask(offsets, 'latest'), ask(uncommitted, 'earliest')]);
  return offsets.flatMap((offset) => {
    const end = endOf(offset)?.offset;
    if (end === undefined) return [];
    const beginning = autoOffsetReset === 'latest' ? end : (startOf(offset)?.offset ?? end);
    return [{ ...offset, end, lag: Math.max(0, end - (offset.committed ?? beginning)) }];
  });
}
