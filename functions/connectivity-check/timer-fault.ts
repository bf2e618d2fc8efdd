import { type Environment, Variables } from '../../src/variables.ts';
import { checkThrows } from './config.ts';
import type { Report } from './report.ts';

/** The error of a run by timer; undefined where all is well or `CHECK_THROW` is false. */
export function timerFault(
  { verdict }: Report,
  { environment }: { environment: Environment },
): string | undefined {
  if (verdict === null || !checkThrows(new Variables(environment))) return undefined;
  return `${verdict.fault} at ${verdict.target}: ${verdict.cause}`;
}
