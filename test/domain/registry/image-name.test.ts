import { describe, expect, test } from 'vitest';
import { parseImageName } from '../../../src/domain/registry/image-name.ts';
import { processorMs } from '../../support/processor-time.ts';

const DEFAULTS = { registryDefaultProject: 'library', registryDefaultRepository: 'images' };

test.each([
  ['app', 'library', 'images', 'app'],
  ['team/app', 'team', 'images', 'app'],
  ['team/repo/app', 'team', 'repo', 'app'],
  ['team/repo/group/app', 'team', 'repo', 'group/app'],
  ['a/b/c/d/e/f', 'a', 'b', 'c/d/e/f'],
  ['a.b/c_d/e__f/g---h.1', 'a.b', 'c_d', 'e__f/g---h.1'],
  ['0/1/2', '0', '1', '2'],
])('%s', (text, project, repository, name) => {
  expect(parseImageName(text, DEFAULTS)).toEqual({
    project,
    repository,
    name,
    path: `${project}/${repository}/${name}`,
    asWritten: text,
  });
});

test('the defaults can be others', () => {
  const defaults = { registryDefaultProject: 'p', registryDefaultRepository: 'r' };
  expect(parseImageName('app', defaults).path).toBe('p/r/app');
});

describe('refused', () => {
  test.each([
    '',
    '/',
    '/app',
    'app/',
    'a//b',
    'App',
    'a/B/c',
    '-a',
    'a-',
    '_a',
    'a_',
    '.a',
    'a.',
    'a..b',
    'a._b',
    'a___b',
    'a_-b',
    'a b',
    'ä',
    'a\0',
    'a\n',
    'a:1',
    'a@b',
    '../a',
    'a/../b',
    'a'.repeat(256),
    `${'a/'.repeat(127)}aa`,
  ])('%j', (text) => {
    expect(() => parseImageName(text, DEFAULTS)).toThrow(expect.objectContaining({ code: 'name-invalid' }));
  });

  test('255 characters are not too many', () => {
    expect(parseImageName(`${'a/'.repeat(127)}a`, DEFAULTS).asWritten).toHaveLength(255);
  });

  test('a hostile name is refused at once', async () => {
    const names = [`${'a-'.repeat(100_000)}!`, `${'a'.repeat(250)}!`, '-'.repeat(254), `a${'-'.repeat(253)}`];
    const milliseconds = await processorMs(() => {
      for (const text of names) expect(() => parseImageName(text, DEFAULTS)).toThrow();
    });
    expect(milliseconds).toBeLessThan(500);
  });
});
