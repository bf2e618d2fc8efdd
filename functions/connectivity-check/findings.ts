import type { Climb } from './climb.ts';
import type { Notice } from './ladder/ladder.ts';
import type { Run } from './ladder/run.ts';
import type { GroupReport, PermissionsReport, RoundTripReport, TopicReport } from './report.ts';
import { type DownNodes, noDownNodes } from './rungs/down-nodes.ts';

/** Everything that a run has found out so far. */
export interface Findings {
  run: Run;
  /** Epoch milliseconds. */
  startedAt: number;
  bootstraps: readonly Climb[];
  brokers: readonly Climb[];
  /** The bootstrap address that was asked about the cluster; undefined where none answered. */
  seat: Climb | undefined;
  down: DownNodes;
  /** Beside those on the ladders. */
  notices: Notice[];
  topic: TopicReport | undefined;
  permissions: PermissionsReport;
  group: GroupReport | undefined;
  roundTrip: RoundTripReport | undefined;
}

export function newFindings(run: Run, bootstraps: readonly Climb[]): Findings {
  return {
    run,
    startedAt: Date.now(),
    bootstraps,
    brokers: [],
    seat: undefined,
    down: noDownNodes,
    notices: [],
    topic: undefined,
    permissions: { topic: null, group: null, cluster: null },
    group: undefined,
    roundTrip: undefined,
  };
}
