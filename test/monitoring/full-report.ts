import type { Report } from '../../functions/connectivity-check/report.ts';

const finding = { target: 'b:9093', cause: 'a cause', remedy: 'a remedy' };

/** A report with something of everything, so that its Prometheus text has every family. */
export const fullReport: Report = {
  schemaVersion: 1,
  ok: false,
  durationMs: 5,
  checkedAt: '2026-11-27T00:00:00.000Z',
  accessMode: 'private',
  verdict: { fault: 'TCP_REFUSED', ...finding },
  faults: [{ fault: 'TCP_REFUSED', ...finding }],
  warnings: [{ fault: 'UNDER_REPLICATED', ...finding }],
  targets: [
    {
      address: 'b:9093',
      role: 'bootstrap',
      certificateDaysLeft: 9,
      stages: [{ stage: 'tcp', status: 'passed', ms: 1 }],
    },
  ],
  tls: null,
  cluster: null,
  topic: {
    name: 'orders',
    partitions: [{ partition: 0, leader: 1, replicas: [1], isr: [1] }],
    minInSyncReplicas: 1,
    maxMessageBytes: 1,
  },
  permissions: null,
  group: { id: 'g', type: 'classic', state: 'Empty', members: 0, lag: 1, expiry: null, partitions: [] },
  roundTrip: {
    topic: 'orders',
    partitions: [
      {
        ...{ partition: 0, leader: 1, offset: 1, ackMs: 1, fetchMs: 1, totalMs: 1 },
        ...{ lost: false, clockSkewMs: 1, throttleMs: 0 },
      },
    ],
  },
};
