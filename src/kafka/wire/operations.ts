/** The bits of the operations that a user may do (org.apache.kafka.common.acl.AclOperation). */
const BITS = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
} as const;

export type Operation = keyof typeof BITS;

/** The broker was not asked, or is too old to say. */
export const NOT_SAID = -2_147_483_648;

/** The operations in a bit field; undefined where the broker didn't say. */
export function readOperations(bits: number): Operation[] | undefined {
  if (bits === NOT_SAID) return undefined;
  return (Object.keys(BITS) as Operation[]).filter((operation) => (bits >> BITS[operation]) & 1);
}
