import { expect, test } from 'vitest';
import { withoutCredentials } from '../../../src/domain/sources/public-url.ts';
import { requireClearCredentials } from '../../../src/domain/sources/repository-credentials.ts';

test.each([
  'https://ada:pa/ss@git.example/a.git',
  'https://ada:pa?ss@git.example/a.git',
  'https://ada:pa#ss@git.example/a.git',
  'https://ada:pa\\ss@git.example/a.git',
  'https://ada:12/ss@git.example/a.git',
  'https://a.da:12/ss@git.example/a.git',
  'https://to/ken@git.example/a.git',
  'https://ada:pa"ss@git.example/a.git',
  'https://ada:pa<ss@git.example/a.git',
  'git+https://ada:pa/ss@git.example/a.git',
  ' https://ada:pa/ss@git.example/a.git',
  'ssh://git:pa/ss@git.example/a.git',
])('it is not clear where the password ends: %s', (url) => {
  expect(() => requireClearCredentials(url)).toThrow(
    expect.objectContaining({
      code: 'invalid-input',
      message: 'A user name or a password in the URL of the repository must be percent-encoded',
      hint: 'Write "/" as %2F, "?" as %3F, "#" as %23; and as %40 an "@" that stands in the path.',
      details: {},
    }),
  );
});

test.each([
  '',
  'git@git.example:team/a@b.git',
  '/srv/git/a@b.git',
  'file:///srv/git/a@b.git',
  'https://git.example/a@b.git',
  'https://git.example:8443/a.git',
  'https://[::1]/@team/a.git',
  'https://git:3000/a.git',
  'https://ada:pa%2Fss@git.example:8443/a@b.git',
  'https://ada@mail.example:pa:ss@git.example/a.git',
  'ssh://git@git.example:22/a.git',
])('clear: %s', (url) => {
  expect(() => requireClearCredentials(url)).not.toThrow();
});

test.each([
  ['https://ada:pa/ss@git.example/a.git', 'https://git.example/a.git'],
  ['git+https://ada:pa/s@s@git.example/a.git', 'git+https://git.example/a.git'],
  ['https://ada:secret@git.example:8443/a@b.git', 'https://git.example:8443/a@b.git'],
  ['http://npm:4873/@scope/name', 'http://npm:4873/@scope/name'],
])('nobody is shown the credentials of %s', (url, shown) => {
  expect(withoutCredentials(url)).toBe(shown);
});
