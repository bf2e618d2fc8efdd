/** Every link of a page leads to a file, and every anchor to a heading; paths in the contributors' pages exist. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['', 'docs', 'settings', 'certificates', 'events', 'test'].flatMap((folder) =>
  entriesOf(folder, folder === 'docs').filter((path) => path.endsWith('.md')),
);
const sources = ['functions', 'src', 'build', 'deploy', 'local', 'container', 'bench', 'test', 'docs'];

/** Paths from the root. */
function entriesOf(folder: string, recursive: boolean): string[] {
  const names = readdirSync(join(root, folder), { recursive, encoding: 'utf8' });
  return names.map((name) => join(folder, name));
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** As GitHub makes them of headings. */
function anchorsOf(path: string): string[] {
  const headings = [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('the pages are found', () => {
  for (const path of ['README.md', 'CONTRIBUTING.md', 'docs/design.md', 'docs/access-modes/public.md'])
    assert.ok(pages.includes(path), path);
});

for (const page of pages) {
  test(`the links of ${page}`, () => {
    for (const [link, path = '', anchor] of read(page).matchAll(
      /\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g,
    )) {
      const target = path === '' ? page : join(dirname(page), path);
      assert.ok(existsSync(join(root, target)), link);
      if (anchor !== undefined) assert.ok(anchorsOf(target).includes(anchor), link);
    }
  });
}

test('the paths that the pages for contributors name', () => {
  const known = ['', ...sources].flatMap((folder) => entriesOf(folder, folder !== ''));
  const paths = known.map((path) => `/${path}/`);
  for (const page of ['docs/design.md', 'CONTRIBUTING.md']) {
    const named = [...read(page).matchAll(/`(\w[\w.-]*\/[\w./-]*|\w[\w.-]*\.(?:ts|md|json|yml))`/g)];
    assert.ok(named.length >= 3, page);
    for (const [, path = ''] of named) {
      const end = `/${path.replace(/\/$/, '')}/`;
      assert.ok(
        paths.some((known) => known.endsWith(end)),
        `${page}: ${path}`,
      );
    }
  }
});
