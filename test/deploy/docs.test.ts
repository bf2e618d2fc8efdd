import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { advertised, type Fault, faultIds, warningIds } from '../../functions/connectivity-check/faults.ts';
import { projectFile } from './service.ts';

const folder = new URL('../../docs/access-modes/', import.meta.url);
const pages = readdirSync(folder);
const known = new Set<string>([...faultIds, ...faultIds.map(advertised), ...warningIds]);
const deployPage = readFileSync(new URL('../deploy.md', folder), 'utf8');

test('each access mode has its page', () => {
  assert.deepEqual(pages.sort(), ['peering.md', 'public.md', 'same-vpc.md', 'vpc-endpoint.md']);
});

for (const page of pages) {
  test(`${page} names only faults that the check can report, and variables that serverless.yml reads`, () => {
    const text = readFileSync(new URL(page, folder), 'utf8');
    const tables = text.split('\n').filter((line) => line.startsWith('| `'));
    const faults = tables.flatMap((line) => line.split('|')[1]?.match(/[A-Z]+(_[A-Z]+)+/g) ?? []);
    assert.ok(faults.length >= 4);
    assert.deepEqual(
      faults.filter((fault) => !known.has(fault as Fault)),
      [],
    );
    const [, block = ''] = text.split('```');
    const variables = block.match(/^[A-Z_]+(?==)/gm) ?? [];
    assert.ok(variables.length > 0);
    assert.deepEqual(
      variables.filter((name) => !projectFile.includes(`env:${name}`)),
      [],
    );
  });
}

test('the credentials that the page names are those that are read', () => {
  const source = readFileSync(new URL('../../deploy/credentials.ts', import.meta.url), 'utf8');
  const [section = ''] = (deployPage.split('## Credentials')[1] ?? '').split('\n## ');
  for (const [name] of section.matchAll(/\b(OS|HW|OTC_SDK|HUAWEICLOUD_SDK)_[A-Z_]*[A-Z]\b/g)) {
    if (name !== 'OS_PROJECT_NAME') assert.ok(source.includes(name), name);
  }
});
