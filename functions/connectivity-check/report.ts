import type { GroupType } from '../../src/kafka/wire/describe-group.ts';
import type { Operation } from '../../src/kafka/wire/operations.ts';
import type { FaultId, Stage, WarningId } from './faults.ts';

export type AccessMode = 'private' | 'public' | 'vpc-endpoint' | 'unknown';
export type StageStatus = 'passed' | 'failed' | 'warning' | 'not-reached' | 'skipped';

/** One rung at one address. `evidence` is what was seen there, never a credential. */
export interface StageResult {
  stage: Stage;
  status: StageStatus;
  ms?: number;
  fault?: FaultId | WarningId;
  evidence?: string;
}

/** What is wrong, where, why, and what to change. */
export interface Finding {
  fault: FaultId | WarningId;
  target: string;
  cause: string;
  remedy: string;
}

/** What another port, or another protocol on the same port, answered when this one failed. */
export interface Probe {
  address: string;
  answer: string;
  ms: number;
}

export interface TargetReport {
  address: string;
  role: 'bootstrap' | 'broker';
  nodeId?: number;
  stages: StageResult[];
  certificateDaysLeft?: number;
  probes?: Probe[];
}

export interface CertificateReport {
  subject: string;
  issuer: string;
  validTo: string;
  daysLeft: number;
}

export interface TlsReport {
  protocol: string | null;
  cipher: string | null;
  /** As the broker sent it, its own certificate first. */
  chain: CertificateReport[];
  /** Does the certificate name the host that was dialled? */
  hostnameMatches: boolean;
  /** Would a client with these settings mind if it doesn't? */
  hostnameVerified: boolean;
}

export interface ClusterReport {
  clusterId: string | null;
  controllerId: number;
  brokers: { nodeId: number; address: string; rack: string | null; reached: boolean }[];
}

export interface TopicReport {
  name: string;
  partitions: { partition: number; leader: number; replicas: number[]; isr: number[] }[];
  /** Null where the cluster doesn't let this user see the settings. */
  minInSyncReplicas: number | null;
  maxMessageBytes: number | null;
}

/** Null where nothing was asked, or the cluster is too old to say (before Kafka 2.3). */
export interface PermissionsReport {
  topic: Operation[] | null;
  group: Operation[] | null;
  cluster: Operation[] | null;
}

export interface GroupReport {
  id: string;
  type: GroupType;
  state: string;
  /** Null where the cluster doesn't count them (streams groups). */
  members: number | null;
  /** Records that are not yet read: from the committed offset, else from where the group would begin. */
  lag: number;
  /** Why Kafka may forget its offsets although they are committed; null where it won't. */
  expiry: string | null;
  /** `committed`: null where there is none. */
  partitions: { topic: string; partition: number; committed: number | null; end: number; lag: number }[];
}

export interface RoundTripReport {
  topic: string;
  partitions: {
    partition: number;
    leader: number;
    offset: number | null;
    ackMs: number | null;
    fetchMs: number | null;
    totalMs: number | null;
    lost: boolean;
    /** The broker's clock less ours; null on topics that keep the client's time. */
    clockSkewMs: number | null;
    throttleMs: number;
  }[];
}

/** The result of one run (design section 7; report.schema.json says it word for word). */
export interface Report {
  schemaVersion: 1;
  ok: boolean;
  durationMs: number;
  checkedAt: string;
  accessMode: AccessMode;
  /** The first of the faults. */
  verdict: Finding | null;
  /** What breaks most of what can be reached comes first. */
  faults: Finding[];
  warnings: Finding[];
  targets: TargetReport[];
  tls: TlsReport | null;
  cluster: ClusterReport | null;
  topic: TopicReport | null;
  permissions: PermissionsReport | null;
  group: GroupReport | null;
  roundTrip: RoundTripReport | null;
}
