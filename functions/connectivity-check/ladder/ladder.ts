import {
  advertised,
  type Fault,
  type FaultId,
  type Stage,
  stageOf,
  stages,
  type WarningId,
} from '../faults.ts';
import type { Probe, StageResult } from '../report.ts';

/** A broken rung. The rungs above it can't be reached. */
export class Broken extends Error {
  override readonly name = 'Broken';
  readonly fault: Fault;
  /** The topic, partition or group that is broken; undefined where it is the address. */
  readonly target: string | undefined;
  /** Answers from other ports and protocols that prove the fault. */
  readonly probes: readonly Probe[];

  constructor(
    fault: Fault,
    evidence: string,
    { target, probes = [] }: { target?: string; probes?: readonly Probe[] } = {},
  ) {
    super(evidence);
    this.fault = fault;
    this.target = target;
    this.probes = probes;
  }
}

/** Something to know that breaks nothing. */
export interface Notice {
  warning: WarningId;
  target: string;
  detail: string;
}

/** The result of a rung that held. */
export interface Passed<T> {
  value: T;
  evidence?: string;
  notices?: readonly Notice[];
}

/** The rungs of one address, as far as they were climbed. */
export class Ladder {
  readonly role: 'bootstrap' | 'broker';
  broken:
    | { fault: FaultId; target: string | undefined; evidence: string; probes: readonly Probe[] }
    | undefined;
  readonly notices: Notice[] = [];
  readonly #results = new Map<Stage, StageResult>();
  #climbing: { stage: Stage; startedAt: number } | undefined;

  constructor(role: 'bootstrap' | 'broker') {
    this.role = role;
  }

  /** Climbs one rung. A fault is noted at the rung that it belongs to, and thrown on. */
  async climb<T>(stage: Stage, step: () => Promise<Passed<T>> | Passed<T>): Promise<T> {
    const startedAt = performance.now();
    this.#climbing = { stage, startedAt };
    try {
      const { value, evidence, notices = [] } = await step();
      this.#hold(stage, performance.now() - startedAt, evidence, notices);
      return value;
    } catch (error) {
      if (error instanceof Broken) this.break(error, performance.now() - startedAt);
      throw error;
    }
  }

  skip(stage: Stage, evidence?: string): void {
    this.#results.set(stage, { stage, status: 'skipped', ...(evidence === undefined ? {} : { evidence }) });
  }

  /** A fault may show on a rung above its own: then the rungs in between didn't hold either. */
  break(broken: Broken, ms: number): void {
    const fault = this.role === 'broker' ? advertised(broken.fault) : broken.fault;
    const stage = stageOf(fault);
    for (const above of stages.slice(stages.indexOf(stage))) this.#results.delete(above);
    const { message: evidence, target, probes } = broken;
    this.#results.set(stage, { stage, status: 'failed', ms: round(ms), fault, evidence });
    this.broken = { fault, target, evidence, probes };
  }

  /** Breaks the rung that is being climbed when time runs out, for want of an answer. */
  abandon(): void {
    if (this.broken || !this.#climbing) return;
    const { stage, startedAt } = this.#climbing;
    const ms = performance.now() - startedAt;
    const fault = stage === 'dns' ? 'DNS_TIMEOUT' : stage === 'tcp' ? 'TCP_TIMEOUT' : 'TCP_SILENT';
    this.break(new Broken(fault, `no answer within ${Math.round(ms)} ms`), ms);
  }

  /** Marks a rung that fails because of a fault elsewhere, where the verdict is taken. */
  lean(stage: Stage, fault: FaultId, evidence: string): void {
    this.#results.set(stage, { stage, status: 'failed', fault, evidence });
  }

  results(): StageResult[] {
    const isBroken = [...this.#results.values()].some(({ status }) => status === 'failed');
    // The cluster is asked once, at one of its addresses.
    const status = isBroken ? 'not-reached' : 'skipped';
    return stages.map((stage) => this.#results.get(stage) ?? { stage, status });
  }

  /** The same rungs for an advertised address that is also a bootstrap address. */
  asBroker(): Ladder {
    const copy = new Ladder('broker');
    for (const [stage, result] of this.#results) copy.#results.set(stage, result);
    for (const stage of ['config', 'brokers', 'topic', 'permissions', 'round-trip', 'sink'] as const)
      copy.#results.delete(stage);
    if (this.broken) {
      const { fault, evidence, target, probes } = this.broken;
      const options = { ...(target === undefined ? {} : { target }), probes };
      copy.break(new Broken(fault as Fault, evidence, options), this.#results.get(stageOf(fault))?.ms ?? 0);
    }
    return copy;
  }

  #hold(stage: Stage, ms: number, evidence: string | undefined, notices: readonly Notice[]): void {
    const [notice] = notices;
    this.notices.push(...notices);
    this.#results.set(stage, {
      stage,
      status: notice ? 'warning' : 'passed',
      ms: round(ms),
      ...(notice && { fault: notice.warning }),
      ...(evidence === undefined ? {} : { evidence }),
    });
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
