import type { Session } from '../../../src/kafka/connection/session.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import { type LogEnd, listOffsetsRequest } from '../../../src/kafka/wire/list-offsets.ts';
import type { MetadataTopic } from '../../../src/kafka/wire/metadata.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { Notice } from '../ladder/ladder.ts';
import type { Run } from '../ladder/run.ts';
import type { GroupReport } from '../report.ts';
import type { SessionOf } from './group.ts';

type PartitionLag = GroupReport['partitions'][number];
/** `committed`: null where the group has none. */
type Place = TopicPartition & { committed: number | null };

/** How far the group is behind, in the order of topics and partitions; each leader is asked once. */
export async function lags(
  topics: readonly MetadataTopic[],
  committed: readonly CommittedOffset[],
  sessionOf: SessionOf,
  run: Run,
): Promise<PartitionLag[]> {
  const byLeader = new Map<number, Place[]>();
  for (const { name: topic, partitions } of topics) {
    for (const { partition, leader } of partitions) {
      const offset = committed.find((one) => one.topic === topic && one.partition === partition)?.offset;
      if (leader < 0 || (offset === undefined && !run.check.groupTopics.includes(topic))) continue;
      byLeader.set(leader, [
        ...(byLeader.get(leader) ?? []),
        { topic, partition, committed: offset ?? null },
      ]);
    }
  }
  const found = await Promise.all(
    [...byLeader].map(([leader, places]) => lagsAt(sessionOf(leader), places, run)),
  );
  return found.flat().sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
}

/** A topic of which the group has committed nothing, although there are records: nobody has read it yet, or not as this group. */
export function notBegun({ id, partitions }: GroupReport, run: Run): Notice[] {
  const { autoOffsetReset } = run.check;
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
  places: readonly Place[],
  run: Run,
): Promise<PartitionLag[]> {
  if (!session) return [];
  const offsets = async (of: readonly Place[], which: LogEnd) => {
    if (of.length === 0) return () => undefined;
    const request = listOffsetsRequest(of, which, 'read_uncommitted');
    const listed = await session.send(request, run.deadline);
    return ({ topic, partition }: Place) =>
      listed.find((o) => o.topic === topic && o.partition === partition && o.errorCode === 0)?.offset;
  };
  const [endOf, startOf] = await Promise.all([
    offsets(places, 'latest'),
    offsets(
      places.filter(({ committed }) => committed === null),
      'earliest',
    ),
  ]);
  return places.flatMap((place) => {
    const end = endOf(place);
    if (end === undefined) return [];
    const from = place.committed ?? (run.check.autoOffsetReset === 'latest' ? end : (startOf(place) ?? end));
    return [{ ...place, end, lag: Math.max(0, end - from) }];
  });
}
