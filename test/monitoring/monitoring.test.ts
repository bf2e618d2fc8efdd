import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { prometheusText } from '../../functions/connectivity-check/formats/prometheus.ts';
import { Metrics } from '../../functions/http/metrics.ts';
import { root } from '../support/processes.ts';
import { goTool, SET_UP_MS } from '../support/tools.ts';
import { fullReport } from './full-report.ts';

const monitoring = join(root, 'deploy/monitoring');
const ruleFiles = readdirSync(monitoring).filter((file) => file.endsWith('.rules.yaml'));

/** Prometheus' own tool, without the clients of all clouds, which rules don't need. */
const promtool = goTool('github.com/prometheus/prometheus/cmd/promtool@v0.316.0', [
  ...['-tags', 'remove_all_sd', '-ldflags', '-s -w'],
]);

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(promtool.path, args, { cwd: root, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

describe("promtool, Prometheus' own", { timeout: SET_UP_MS }, async () => {
  const missing = await promtool.missing();
  const options = missing === undefined ? {} : { skip: missing };

  it('finds nothing wrong with the alert rules', options, () => {
    const files = ruleFiles.map((file) => join(monitoring, file));
    const { status, output } = run('check', 'rules', '--lint=all', '--lint-fatal', ...files);
    assert.equal(status, 0, output);
  });

  for (const file of ruleFiles) {
    it(`sees each alert of ${file} fire where it must, and only there`, options, () => {
      const { status, output } = run(
        'test',
        'rules',
        `test/monitoring/${file.replace('.yaml', '.test.yaml')}`,
      );
      assert.equal(status, 0, output);
    });
  }
});

interface Rule {
  alert: string;
  expr: string;
}

interface AlertTest {
  alertname: string;
  exp_alerts: unknown[];
}

const read = (file: string) => parse(readFileSync(file, 'utf8'));
const rulesOf = (file: string): Rule[] =>
  read(join(monitoring, file)).groups.flatMap(({ rules }: { rules: Rule[] }) => rules);

it('each alert has a test in which it fires', () => {
  for (const file of ruleFiles) {
    const { tests } = read(join(root, 'test/monitoring', file.replace('.yaml', '.test.yaml'))) as {
      tests: { alert_rule_test: AlertTest[] }[];
    };
    const fired = tests
      .flatMap(({ alert_rule_test }) => alert_rule_test)
      .flatMap(({ alertname, exp_alerts }) => (exp_alerts.length > 0 ? [alertname] : []));
    const alerts = rulesOf(file).map(({ alert }) => alert);
    assert.deepEqual([...new Set(fired)].sort(), [...alerts].sort(), file);
  }
});

describe('what rules and dashboard ask for exists', async () => {
  const nothing = async () => [];
  const server = new Metrics({
    producer: () => undefined,
    waitingRecords: nothing,
    waitingDeadLetters: nothing,
  });
  const known = new Set([...namesIn((await server.text()).body), ...namesIn(prometheusText(fullReport))]);
  const queries = [...ruleFiles.flatMap(rulesOf).map(({ expr }) => expr), ...dashboardQueries()];

  it('is found in the rules and in the dashboard', () => {
    assert.ok(queries.length > 25, `${queries.length}`);
    assert.ok(known.has('consume_lag') && known.has('kafka_connectivity_round_trip_lost'));
  });

  for (const query of queries) {
    it(query, () => {
      const strangers = metricsOf(query).filter((name) => !known.has(name));
      assert.deepEqual([strangers, metricsOf(query).length > 0], [[], true]);
    });
  }
});

/** The names of the samples that a scrape may have. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((ending) => name + ending) : [name],
  );
}

/** What is left of a query without strings, matchers, labels, functions and keywords. */
function metricsOf(query: string): string[] {
  const words = query
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|on|without|ignoring) *\([^)]*\)/g, '')
    .replaceAll(/\boffset +\w+/g, '');
  return [...words.matchAll(/\b[a-z_]\w*\b(?! *\()/g)]
    .map(([word]) => word)
    .filter((word) => !['and', 'or', 'unless', 'bool', 'sum', 'max', 'min', 'count'].includes(word));
}

function dashboardQueries(): string[] {
  const { panels } = JSON.parse(readFileSync(join(monitoring, 'dashboard.json'), 'utf8')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}
