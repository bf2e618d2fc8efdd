import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../functions/connectivity-check/report.ts';
import { namespaceRows } from './namespace-rows.ts';

interface Outcome {
  fault: string;
  what: string;
  budgetMs: number;
  elapsedMs: number;
  kafkajs: string;
  report: Report;
}

const isRoot = process.getuid?.() === 0;
const unshareOptions = isRoot ? ['-mn'] : ['-Urmn'];
const works =
  process.platform === 'linux' &&
  spawnSync('unshare', [...unshareOptions, 'sh', '-c', 'ip link add name left type veth peer name right'], {
    stdio: 'ignore',
  }).status === 0;
const skip = !works && 'needs Linux with unshare, ip and veth, and root or user namespaces';
const PROGRAM = fileURLToPath(new URL('./in-namespace.ts', import.meta.url));

describe('networks that fail', { skip }, () => {
  const outcomes: Outcome[] = [];
  const of = (name: string) => outcomes.find(({ fault, what }) => `${fault}: ${what}` === name);

  before(async () => {
    const child = spawn('unshare', [...unshareOptions, process.execPath, '--import', 'tsx', PROGRAM], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    for (const line of text.trim().split('\n')) outcomes.push(JSON.parse(line));
    for (const { fault, what, kafkajs } of outcomes.filter(({ what }) => what !== 'budget')) {
      console.log(`${fault.padEnd(28)} ${what}\n${''.padEnd(28)} kafkajs: ${kafkajs}`);
    }
  });

  for (const name of namespaceRows) {
    test(name, () => {
      const outcome = of(name);
      assert.equal(outcome?.report.verdict?.fault, outcome?.fault, JSON.stringify(outcome?.report.verdict));
    });
  }

  test('DNS_PRIVATE: warned of where a public port has a private address', () => {
    const report = of('TCP_TIMEOUT: a public port with a private address')?.report;
    assert.deepEqual(
      report?.warnings.map(({ fault }) => fault),
      ['DNS_PRIVATE'],
    );
  });

  test('everything blackholed: the report comes with the end of its budget, to 250 ms', () => {
    const budgets = outcomes.filter(({ what }) => what === 'budget');
    assert.ok(budgets.length >= 4);
    for (const { fault, report, elapsedMs, budgetMs } of budgets) {
      assert.equal(report.verdict?.fault, fault);
      assert.ok(Math.abs(elapsedMs - budgetMs) <= 250, `${elapsedMs} ms of ${budgetMs} ms`);
    }
  });
});
