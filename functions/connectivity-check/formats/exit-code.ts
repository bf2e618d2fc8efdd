import { baseOf, type Fault, type FaultId, type Stage, stageOf } from '../faults.ts';
import type { Report } from '../report.ts';

const codes: Record<Stage, number> = {
  config: 78,
  dns: 10,
  tcp: 20,
  tls: 30,
  kafka: 50,
  sasl: 40,
  metadata: 50,
  brokers: 50,
  topic: 50,
  permissions: 60,
  'round-trip': 70,
  sink: 71,
};
const WARNINGS = 2;

/** Faults that show on one rung and are repaired on another. */
const exceptions: Partial<Record<Fault, number>> = {
  BROKER_DOWN: codes.tcp,
  ACL_TOPIC_DESCRIBE: codes.permissions,
  NO_LEADER: codes['round-trip'],
  NOT_ENOUGH_REPLICAS: codes['round-trip'],
};

/** 0 fine, 2 warnings, else the layer: 10 DNS, 20 TCP, 30 TLS, 40 SASL, 50 Kafka, 60 permissions, 70 data, 71 the sink, 78 configuration. */
export function exitCode({ verdict, warnings }: Report): number {
  if (!verdict) return warnings.length > 0 ? WARNINGS : 0;
  // A verdict is never a warning.
  const fault = verdict.fault as FaultId;
  return exceptions[baseOf(fault)] ?? codes[stageOf(fault)];
}
