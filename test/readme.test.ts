import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { type ErrorCode, errorCodes, Failure } from '../src/errors.ts';
import { variablesAsked } from './variables.ts';

const MAX_LINES = 150;

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of the table whose first column has this heading, each as its cells. */
function table(heading: string): string[][] {
  const lines = readme.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  const rows = [];
  for (let i = start + 2; lines[i]?.startsWith('|'); i++) {
    rows.push(
      (lines[i] ?? '')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

function names(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name ?? '');
}

it(`has at most ${MAX_LINES} lines`, () => {
  assert.ok(readme.trimEnd().split('\n').length <= MAX_LINES, `${readme.split('\n').length} lines`);
});

it('names every error code with its status, error_code, retriable and delivery', () => {
  const documented = table('code').flatMap(([codes, ...cells]) => {
    const row = names(codes?.replace(/\([^)]*\)/g, ''));
    return row.map((code, i) => {
      const [status, errorCode, retriable, delivery] = cells.map((cell) => {
        const values = cell.split(',').map((value) => value.trim());
        return values[i] ?? values[0];
      });
      return { code, status, errorCode, retriable, delivery };
    });
  });
  const coded = errorCodes.map((code: ErrorCode) => {
    const { status, errorCode, retriable, delivery } = new Failure(code, '');
    return {
      code,
      status: `${status}`,
      errorCode: `${errorCode}`,
      retriable: retriable ? 'yes' : 'no',
      delivery,
    };
  });
  const byCode = (a: { code: string }, b: { code: string }) => a.code.localeCompare(b.code);
  assert.deepEqual(documented.sort(byCode), coded.sort(byCode));
});

it('names every variable that the configuration reads, and no other', () => {
  const documented = table('variable').flatMap(([cell]) => names(cell));
  assert.deepEqual(documented.sort(), variablesAsked());
});
