import { groupBy } from '../../../src/group-by.ts';
import type { Probe, StageResult, TargetReport } from '../report.ts';

/** An address that is both a bootstrap address and a broker's is one place for a reader. */
export interface Place extends Omit<TargetReport, 'role'> {
  isBootstrap: boolean;
}

export function places(targets: readonly TargetReport[]): Place[] {
  const merged = new Map<string, Place>();
  for (const { role, ...target } of targets) {
    const known = merged.get(target.address);
    const isBootstrap = role === 'bootstrap';
    merged.set(target.address, known ? merge(known, target) : { ...target, isBootstrap });
  }
  return [...merged.values()];
}

function merge(first: Place, second: Omit<TargetReport, 'role'>): Place {
  const stages = first.stages.map((result, index) => clearer(result, second.stages[index]));
  return { ...second, ...first, stages, ...(second.nodeId === undefined ? {} : { nodeId: second.nodeId }) };
}

function clearer(first: StageResult, second: StageResult | undefined): StageResult {
  const saysNothing = first.status === 'skipped' || first.status === 'not-reached';
  return saysNothing && second && second.status !== 'not-reached' && second.status !== 'skipped'
    ? second
    : first;
}

export function placeName({ isBootstrap, nodeId }: Place): string {
  const broker = nodeId === undefined ? '' : `broker ${nodeId}`;
  return isBootstrap ? ['bootstrap', broker].filter(Boolean).join(', ') : broker;
}

/** The other questions that were asked, grouped by their answers. */
export function probeLines(probes: readonly Probe[]): string[] {
  const byAnswer = [...groupBy(probes, ({ answer }) => answer)];
  return byAnswer.map(
    ([answer, alike]) => `asked ${alike.map(({ address }) => address).join(', ')}: ${answer}`,
  );
}
