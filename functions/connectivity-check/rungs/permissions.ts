import type { Session } from '../../../src/kafka/connection/session.ts';
import { kafkaErrorName, kafkaErrors } from '../../../src/kafka/error-codes.ts';
import type { Operation } from '../../../src/kafka/wire/operations.ts';
import { initProducerIdRequest } from '../../../src/kafka/wire/transactions.ts';
import type { CheckConfig } from '../config.ts';
import { Broken, type Passed } from '../ladder/ladder.ts';
import type { Run } from '../ladder/run.ts';
import type { PermissionsReport } from '../report.ts';

/**
 * Judges the user's permissions as the cluster lists them, without writing or joining. Breaks only on permissions
 * that the other functions need: a publisher need not be able to read.
 */
export async function judgePermissions(
  permissions: PermissionsReport,
  session: Session,
  { check, deadline }: Pick<Run, 'check' | 'deadline'>,
): Promise<Passed<undefined>> {
  const { topic, group, needsWrite, needsRead, needsIdempotence } = check;
  if (topic !== undefined) {
    if (needsWrite) need(permissions.topic, 'WRITE', 'ACL_TOPIC_WRITE', topic);
    if (needsRead) need(permissions.topic, 'READ', 'ACL_TOPIC_READ', topic);
  }
  if (group !== undefined) need(permissions.group, 'READ', 'ACL_GROUP', group);
  if (needsIdempotence && !permissions.cluster?.includes('IDEMPOTENT_WRITE')) {
    await needProducerId(session, deadline);
  }
  return { value: undefined, evidence: describe(permissions, check) };
}

function need(
  operations: readonly Operation[] | null,
  operation: Operation,
  fault: 'ACL_TOPIC_WRITE' | 'ACL_TOPIC_READ' | 'ACL_GROUP',
  target: string,
): void {
  if (operations === null || operations.includes(operation)) return;
  throw new Broken(fault, `allowed on ${target}: ${operations.join(', ') || 'nothing'}`, { target });
}

/** Since Kafka 2.8, Write on any topic is enough, but no bit field shows that. So ask for a producer id. */
async function needProducerId(session: Session, deadline: number): Promise<void> {
  const { errorCode } = await session.send(initProducerIdRequest(null, 0), deadline);
  if (errorCode !== kafkaErrors.CLUSTER_AUTHORIZATION_FAILED) return;
  const evidence = `no producer id: ${kafkaErrorName(errorCode)}, and KAFKA_ENABLE_IDEMPOTENCE is true`;
  throw new Broken('ACL_CLUSTER', evidence, { target: 'kafka-cluster' });
}

function describe({ topic, group }: PermissionsReport, check: CheckConfig): string {
  const list = (name: string | undefined, operations: readonly Operation[] | null) =>
    name === undefined ? [] : [`${name}: ${operations?.join(', ') ?? 'not told by this cluster'}`];
  return [...list(check.topic, topic), ...list(check.group, group)].join('; ');
}
