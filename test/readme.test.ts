import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { variablesRead, withVariableTables } from '../build/variable-tables.ts';
import { type ErrorCode, errorCodes, Failure } from '../src/errors.ts';

const MAX_LINES = 150;
const MAX_WORDS = 900;

const page = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const readme = page('README.md');

/** The rows of all tables of a page whose first column has this heading, each as its cells. */
function rowsOf(text: string, heading: string): string[][] {
  const tables = text.split(`\n| ${heading} |`).slice(1);
  return tables.flatMap((table) => {
    const [, , ...lines] = table.split('\n');
    const end = lines.findIndex((line) => !line.startsWith('|'));
    const cells = (line: string) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
    return lines.slice(0, end).map(cells);
  });
}

function names(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name ?? '');
}

it(`has at most ${MAX_LINES} lines`, () => {
  assert.ok(readme.trimEnd().split('\n').length <= MAX_LINES, `${readme.split('\n').length} lines`);
});

it(`has at most ${MAX_WORDS} words`, () => {
  const words = readme.split(/\s+/).filter((word) => /\w/.test(word));
  assert.ok(words.length <= MAX_WORDS, `${words.length} words`);
});

it('names variables that there are', () => {
  const known = variablesRead();
  const named = rowsOf(readme, 'variable').flatMap(([cell]) => names(cell));
  assert.ok(named.length >= 14);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

it('links to what is there', () => {
  for (const [, path = ''] of readme.matchAll(/\]\((?!http)([^)#]+)\)/g))
    assert.ok(page(path).length > 0, path);
});

it('docs/errors.md names every error code with its status, error_code, retriable and delivery', () => {
  const documented = rowsOf(page('docs/errors.md'), 'code').flatMap(([codes, ...cells]) => {
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

it('docs/configuration.md has the tables that the readers and their declarations make (npm run docs)', () => {
  const configuration = page('docs/configuration.md');
  assert.equal(configuration, withVariableTables(configuration));
});
