import { after } from 'node:test';
import type { Variables } from '../support/check.ts';
import { plainKafkajsSays } from './plain-kafkajs.ts';

interface Outcome {
  fault: string;
  what: string;
  variables: Variables;
  isWarning: boolean;
}

const lines: string[] = [];
const faults = new Set<string>();

/** Keeps a row that was named as it should, with what plain kafkajs says to the same settings. */
export async function record({ fault, what, variables }: Outcome): Promise<void> {
  const plain = await plainKafkajsSays(variables);
  faults.add(fault);
  lines.push(`${fault.padEnd(28)} ${what}\n${''.padEnd(28)} kafkajs: ${plain}`);
}

after(() => {
  console.log(lines.join('\n'));
  console.log(`${faults.size} faults and warnings named, in ${lines.length} rows`);
});
