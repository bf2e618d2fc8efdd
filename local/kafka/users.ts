import { randomBytes } from 'node:crypto';
import { type AccessRule, createAcls, type KafkaUser } from './admin.ts';

export interface KafkaUsers {
  /** Super user. */
  admin: KafkaUser;
  /** May do everything with topics, groups and transactional ids, describe the cluster, and write idempotently. */
  app: KafkaUser;
  /**
   * May write topics `restricted-allowed…`, describe topics `restricted-readonly…`, read topics
   * `restricted-readable…` with groups `restricted…`, and nothing else.
   */
  restricted: KafkaUser;
}

const RULES: readonly AccessRule[] = [
  { principal: 'User:app', resource: 'topic', name: '*', pattern: 'literal', operation: 'all' },
  { principal: 'User:app', resource: 'group', name: '*', pattern: 'literal', operation: 'all' },
  { principal: 'User:app', resource: 'transactionalId', name: '*', pattern: 'literal', operation: 'all' },
  {
    principal: 'User:app',
    resource: 'cluster',
    name: 'kafka-cluster',
    pattern: 'literal',
    operation: 'describe',
  },
  // Before 3.0 Write on a topic is not enough for it (KIP-679).
  {
    principal: 'User:app',
    resource: 'cluster',
    name: 'kafka-cluster',
    pattern: 'literal',
    operation: 'idempotentWrite',
  },
  restricted('restricted-allowed', 'describe'),
  restricted('restricted-allowed', 'write'),
  restricted('restricted-readonly', 'describe'),
  restricted('restricted-readable', 'read'),
  restricted('restricted', 'read', 'group'),
];

/** The number of resource patterns in the rules: a broker that describes as many has received all of them. */
export const ACL_RESOURCES = new Set(RULES.map(({ resource, name }) => `${resource} ${name}`)).size;

/** Passwords of 32 random characters, new for every cluster. */
export function createUsers(): KafkaUsers {
  return { admin: user('admin'), app: user('app'), restricted: user('restricted') };
}

/** Gives the users their ACLs. */
export function registerAccess(port: number): Promise<void> {
  return createAcls(port, RULES);
}

function restricted(
  name: string,
  operation: AccessRule['operation'],
  resource: AccessRule['resource'] = 'topic',
): AccessRule {
  return { principal: 'User:restricted', resource, name, pattern: 'prefixed', operation };
}

function user(username: string): KafkaUser {
  // By the prefix a test run finds the passwords of every cluster in the output of its tests.
  const prefix = process.env.TEST_PASSWORD_PREFIX ?? '';
  return { username, password: `${prefix}${randomBytes(24).toString('base64url')}` };
}
