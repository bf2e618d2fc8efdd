import type { ConsumerRunConfig, Consumer as GroupMember } from 'kafkajs';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import type { OffsetToCommit } from '../../src/kafka/wire/offset-commit.ts';
import { connectionConfigFor } from './cluster.ts';
import { recordingLog } from './log.ts';
import { administer, kafkajs } from './records.ts';

/** Reads as a member of the group, from when it has joined until it is disconnected. */
export async function joinGroup(
  cluster: KafkaCluster,
  { groupId, topic }: { groupId: string; topic: string },
  run: ConsumerRunConfig,
): Promise<GroupMember> {
  const member = kafkajs(cluster).consumer({ groupId, maxWaitTimeInMs: 50 });
  await member.connect();
  await member.subscribe({ topic, fromBeginning: true });
  const joined = new Promise((resolve) => member.on(member.events.GROUP_JOIN, resolve));
  await member.run(run);
  await joined;
  return member;
}

/** Commits an offset, as nobody's member. */
export async function commitOffset(
  cluster: KafkaCluster,
  groupId: string,
  offset: OffsetToCommit,
): Promise<void> {
  const log = recordingLog();
  const connection = new Connection(clientOptions(connectionConfigFor(cluster)), log);
  const [failure] = await new GroupOffsets(connection, groupId, log).commit([offset], Date.now() + 10_000);
  connection.close();
  if (failure) throw failure;
}

/** The offsets that a topic's group has committed, by partition, as kafkajs's admin client reads them. */
export async function committedOffsets(
  cluster: KafkaCluster,
  topic: string,
  groupId = `${topic}-g`,
): Promise<Map<number, number>> {
  const [offsets] = await administer(cluster, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
  return new Map(offsets?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
}

/** The sum of the offsets that a topic's group has committed: its records, where no transaction left markers. */
export async function committedRecords(cluster: KafkaCluster, topic: string): Promise<number> {
  const offsets = await committedOffsets(cluster, topic);
  return [...offsets.values()].reduce((sum, offset) => sum + offset, 0);
}
