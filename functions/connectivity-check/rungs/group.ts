import { remaining, sleep } from '../../../src/deadline.ts';
import type { Session } from '../../../src/kafka/connection/session.ts';
import { kafkaErrorName, kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { readNote } from '../../../src/kafka/fetch/offset-note.ts';
import { describeGroup, type GroupDescription } from '../../../src/kafka/wire/describe-group.ts';
import { findCoordinatorRequest } from '../../../src/kafka/wire/find-coordinator.ts';
import { type MetadataTopic, metadataRequest } from '../../../src/kafka/wire/metadata.ts';
import { type CommittedOffset, offsetFetchRequest } from '../../../src/kafka/wire/offset-fetch.ts';
import type { CheckConfig } from '../config.ts';
import { Broken } from '../ladder/ladder.ts';
import type { GroupReport } from '../report.ts';
import { lags } from './group-lag.ts';

const COORDINATOR_RETRIES = 5;
const COORDINATOR_BACKOFF_MS = 200;

/** Half of Kafka's default lifetime of offsets: by then, a pull that can renew it has done so. */
const KEPT_MS = 3.5 * 86_400_000;

export type SessionOf = (nodeId: number) => Session | undefined;

/** Whom to ask about a group, and until when (epoch milliseconds). */
export interface GroupAsking {
  seat: Session;
  sessionOf: SessionOf;
  deadline: number;
}

/** Describes a group and reads its offsets without joining it. */
export async function inspectGroup(
  id: string,
  { seat, sessionOf, deadline }: GroupAsking,
): Promise<{ description: GroupDescription; committed: CommittedOffset[] }> {
  const coordinator = sessionOf(await findCoordinator(id, seat, deadline)) ?? seat;
  const description = await describeGroup(id, (request) => coordinator.send(request, deadline));
  refuse(id, description.errorCode);
  const { errorCode, partitions } = await coordinator.send(offsetFetchRequest(id, 'all'), deadline);
  refuse(id, errorCode);
  return { description, committed: partitions.filter(({ offset }) => offset >= 0) };
}

/** The lag of the committed partitions, and of the others in the group's topics, as far as they can be seen. */
export async function groupReport(
  id: string,
  { description, committed }: { description: GroupDescription; committed: readonly CommittedOffset[] },
  known: readonly MetadataTopic[],
  check: CheckConfig,
  asking: GroupAsking,
): Promise<GroupReport> {
  const names = new Set([...check.groupTopics, ...committed.map(({ topic }) => topic)]);
  const unknown = [...names].filter((name) => !known.some((topic) => topic.name === name));
  const { seat, deadline } = asking;
  const more = unknown.length === 0 ? [] : (await seat.send(metadataRequest(unknown), deadline)).topics;
  const partitions = await lags([...known, ...more], committed, check, asking);
  const lag = partitions.reduce((sum, { lag: one }) => sum + one, 0);
  const { type, state, members = null } = description;
  return { id, type, state, members, lag, expiry: expiryOf(description, committed), partitions };
}

/** Why the offsets may be forgotten although pulls commit them again; null where they won't. */
function expiryOf(
  { type, protocolType, state }: GroupDescription,
  committed: readonly CommittedOffset[],
): string | null {
  const wasLeft = type === 'classic' && protocolType !== '' && state === 'Empty' && committed.length > 0;
  const emptiedAt = Math.max(0, ...committed.map(({ metadata }) => readNote(metadata)?.emptiedAt ?? 0));
  if (!wasLeft || Date.now() - emptiedAt < KEPT_MS) return null;
  return 'has had members: Kafka forgets its offsets some days after the last one left (offsets.retention.minutes), and no pull has joined it to put that off';
}

/** Asks again: the first question may be what makes the cluster create its topic of offsets. */
async function findCoordinator(id: string, seat: Session, deadline: number): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const { errorCode, nodeId } = await seat.send(findCoordinatorRequest('group', id), deadline);
    if (errorCode === kafkaErrors.NONE) return nodeId;
    refuse(id, errorCode);
    if (attempt > COORDINATOR_RETRIES || remaining(deadline) < COORDINATOR_BACKOFF_MS) {
      const evidence = `no coordinator of group ${id}: ${kafkaErrorName(errorCode)}`;
      throw new Broken('NO_LEADER', evidence, { target: '__consumer_offsets' });
    }
    await sleep(COORDINATOR_BACKOFF_MS);
  }
}

function refuse(id: string, errorCode: number): void {
  if (errorCode !== kafkaErrors.GROUP_AUTHORIZATION_FAILED) return;
  throw new Broken('ACL_GROUP', `the cluster answers ${kafkaErrorName(errorCode)}`, { target: id });
}
