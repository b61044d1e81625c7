import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const DOCS = join(ROOT, 'docs');
const pages = ['README.md', ...readdirSync(DOCS).map((name) => join('docs', name))].filter((path) =>
  path.endsWith('.md'),
);

/** Without what is shown as code. */
function proseOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replace(/^( *)```[\s\S]*?^\1```$/gm, '');
}

/** As code hosts make them of titles. */
function anchorsOf(path: string): string[] {
  return [...proseOf(path).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(pages)('the links in %s lead somewhere', (page) => {
  const broken = [...proseOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(
    ([link, path = '', anchor]) => {
      const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
      if (!existsSync(join(ROOT, target))) return [link];
      return anchor !== undefined && !anchorsOf(target).includes(anchor) ? [link] : [];
    },
  );
  expect(broken).toEqual([]);
});
