import { expect, test } from 'vitest';
import { isLocalRepository } from '../../../src/domain/sources/local-repository.ts';

test.each([
  ['/srv/git/app', true],
  ['./app', true],
  ['app', true],
  ['../a:b', true],
  ['file:///srv/git/app', true],
  ['FILE:///srv/git/app', true],
  ['git+file:///srv/git/app', true],
  [' file:///srv/git/app', true],
  ['https://git.example/app.git', false],
  ['git+https://git.example/app.git', false],
  ['git://git.example/app.git', false],
  ['ssh://git@git.example/app.git', false],
  ['git@git.example:team/app.git', false],
  ['git.example:team/app.git', false],
  ['ext::sh -c id', false],
])('%s: %s', (repository, expected) => {
  expect(isLocalRepository(repository)).toBe(expected);
});
