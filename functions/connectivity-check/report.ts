import type { GroupType } from '../../src/kafka/wire/describe-group.ts';
import type { Operation } from '../../src/kafka/wire/operations.ts';
import type { FaultId, Stage, WarningId } from './faults.ts';

export type AccessMode = 'private' | 'public' | 'vpc-endpoint' | 'unknown';
export type StageStatus = 'passed' | 'failed' | 'warning' | 'not-reached' | 'skipped';

/** One rung at one address. `evidence` tells what was seen there, and never a credential. */
export interface StageResult {
  stage: Stage;
  status: StageStatus;
  ms?: number;
  fault?: FaultId | WarningId;
  evidence?: string;
}

/** A fault or warning: where, why, and what to change. */
export interface Finding {
  fault: FaultId | WarningId;
  target: string;
  cause: string;
  remedy: string;
}

/** The answer of another port, or in another protocol, when this one failed. */
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
  /** In the order of verification, the broker's own certificate first. */
  chain: CertificateReport[];
  /** Whether the certificate names the host that was dialled. */
  hostnameMatches: boolean;
  /** Whether a client with these settings would insist on that. */
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
  /** Null where this user may not see the settings. */
  minInSyncReplicas: number | null;
  maxMessageBytes: number | null;
}

/** Null where it was not asked, or the cluster is too old to say (before Kafka 2.3). */
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
  /** Records to read, from the committed offset, else from where the group would begin. */
  lag: number;
  /** Why Kafka may forget the group's offsets although they are committed; null where it won't. */
  expiry: string | null;
  /** `committed` is null where there is none. */
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

/** The result of one run, as in report.schema.json. */
export interface Report {
  schemaVersion: 1;
  ok: boolean;
  durationMs: number;
  checkedAt: string;
  accessMode: AccessMode;
  /** The first of the faults. */
  verdict: Finding | null;
  /** The fault that breaks most of what can be reached comes first. */
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
