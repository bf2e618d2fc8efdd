/** The rungs of the ladder, from the ground up. */
export const stages = [
  'config',
  'dns',
  'tcp',
  'tls',
  'kafka',
  'sasl',
  'metadata',
  'brokers',
  'topic',
  'permissions',
  'round-trip',
  'sink',
] as const;
export type Stage = (typeof stages)[number];

/** The closed list of faults, each with the rung that it breaks. */
const faultStages = {
  CONFIG_INVALID: 'config',
  DNS_NXDOMAIN: 'dns',
  DNS_NODATA: 'dns',
  DNS_SERVFAIL: 'dns',
  DNS_TIMEOUT: 'dns',
  DNS_NO_RESOLVER: 'dns',
  TCP_REFUSED: 'tcp',
  TCP_TIMEOUT: 'tcp',
  TCP_UNREACHABLE: 'tcp',
  TCP_NO_ROUTE: 'tcp',
  TCP_RESET: 'tcp',
  TCP_ACCEPT_CLOSE: 'tcp',
  TCP_SILENT: 'tcp',
  ADDRESS_NOT_ALLOWED: 'tcp',
  MTU_BLACKHOLE: 'tcp',
  PLAIN_TO_TLS: 'tls',
  TLS_TO_PLAIN: 'tls',
  NOT_TLS: 'tls',
  TLS_VERSION: 'tls',
  CA_UNTRUSTED: 'tls',
  CHAIN_INCOMPLETE: 'tls',
  SELF_SIGNED: 'tls',
  HOST_MISMATCH: 'tls',
  CERT_EXPIRED: 'tls',
  CERT_NOT_YET_VALID: 'tls',
  CERT_PURPOSE: 'tls',
  CERT_WEAK: 'tls',
  ROOT_MISSING: 'tls',
  MTLS_REQUIRED: 'tls',
  MTLS_REFUSED: 'tls',
  NOT_KAFKA_HTTP: 'kafka',
  NOT_KAFKA_SSH: 'kafka',
  NOT_KAFKA_SMTP: 'kafka',
  NOT_KAFKA: 'kafka',
  KRAFT_CONTROLLER: 'kafka',
  SASL_MISSING: 'sasl',
  SASL_NOT_ENABLED: 'sasl',
  SASL_MECHANISM: 'sasl',
  SASL_BAD_CREDENTIALS: 'sasl',
  OAUTH_DNS: 'sasl',
  OAUTH_TCP: 'sasl',
  OAUTH_TLS: 'sasl',
  OAUTH_REFUSED: 'sasl',
  BROKER_DOWN: 'brokers',
  TOPIC_MISSING: 'topic',
  TOPIC_INVALID: 'topic',
  ACL_TOPIC_DESCRIBE: 'topic',
  NO_LEADER: 'topic',
  NOT_ENOUGH_REPLICAS: 'topic',
  ACL_TOPIC_WRITE: 'permissions',
  ACL_TOPIC_READ: 'permissions',
  ACL_GROUP: 'permissions',
  ACL_CLUSTER: 'permissions',
  MESSAGE_TOO_LARGE: 'round-trip',
  ROUND_TRIP_LOST: 'round-trip',
  ROUND_TRIP_TIMEOUT: 'round-trip',
  SINK_DNS: 'sink',
  SINK_TCP: 'sink',
  SINK_TLS: 'sink',
  SINK_LOGIN: 'sink',
  SINK_FORBIDDEN: 'sink',
  SINK_MISSING: 'sink',
  SINK_MISMATCH: 'sink',
} as const satisfies Record<string, Stage>;

export const warningIds = [
  'DNS_PRIVATE',
  'CERT_EXPIRES_SOON',
  'UNDER_REPLICATED',
  'THROTTLED',
  'CLOCK_SKEW',
  'BOOTSTRAP_PARTIAL',
  'DEAD_LETTER_TOPIC_MISSING',
  'PORT_UNUSUAL',
  'GROUP_NOT_BEGUN',
  'PASSWORD_IN_PLAIN',
] as const;

export type Fault = keyof typeof faultStages;
export type WarningId = (typeof warningIds)[number];

/** A fault on the way to a broker. It says more when a bootstrap address that works advertised the broker. */
type PathFault = {
  [F in Fault]: (typeof faultStages)[F] extends 'dns' | 'tcp' | 'tls' ? F : never;
}[Fault];
export type FaultId = Fault | `ADVERTISED_${PathFault}`;

/** The check itself found these out about an address, whoever gave it. */
const NEVER_ADVERTISED: readonly Fault[] = ['ADDRESS_NOT_ALLOWED', 'MTU_BLACKHOLE'];

export const faultIds = Object.keys(faultStages) as Fault[];

export function stageOf(fault: FaultId): Stage {
  return faultStages[baseOf(fault)];
}

/** The fault without the prefix of advertised addresses. */
export function baseOf(fault: FaultId): Fault {
  return fault.replace(/^ADVERTISED_/, '') as Fault;
}

/** The id of an advertised broker's fault. */
export function advertised(fault: Fault): FaultId {
  return isPathFault(fault) ? `ADVERTISED_${fault}` : fault;
}

function isPathFault(fault: Fault): fault is PathFault {
  return ['dns', 'tcp', 'tls'].includes(faultStages[fault]) && !NEVER_ADVERTISED.includes(fault);
}
