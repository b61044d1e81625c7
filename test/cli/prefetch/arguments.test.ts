import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type PrefetchOptions, submissionOf } from '../../../src/cli/prefetch/options.ts';
import { outputFiles, requireWritable } from '../../../src/cli/prefetch/outputs.ts';
import { formatBytes, formatSeconds } from '../../../src/cli/prefetch/quantities.ts';
import {
  localRepositoryUrl,
  readSourceArgument,
  repositoryName,
} from '../../../src/cli/prefetch/source-argument.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { parseRepositoryUrl } from '../../../src/workers/git/repository-url.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

describe('the source', () => {
  test.each([
    ['https://git.example/a/b.git', { kind: 'url', url: 'https://git.example/a/b.git' }],
    ['ssh://git@git.example/a', { kind: 'url', url: 'ssh://git@git.example/a' }],
    ['git@git.example:a/b.git', { kind: 'url', url: 'git@git.example:a/b.git' }],
    ['file:///srv/git/a', { kind: 'local', path: '/srv/git/a' }],
    ['file:///srv/my%20git/100%25%23', { kind: 'local', path: '/srv/my git/100%#' }],
    ['/', { kind: 'local', path: '/' }],
  ])('%s', (text, expected) => {
    expect(readSourceArgument(text)).toEqual(expected);
  });

  test.each(['/no/such/directory', 'file://elsewhere/srv/git/a', 'file:///a%2Fb'])(
    'what is neither: %s',
    (text) => {
      expect(() => readSourceArgument(text)).toThrow(
        expect.objectContaining({ code: 'not-a-git-repository' }),
      );
    },
  );

  test.each(['/srv/git/a', '/home/me/C# & 100%41/what?/é b'])('the URL of %s means the same path', (path) => {
    const settings = readSettings({ STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file' });
    expect(parseRepositoryUrl(localRepositoryUrl(path), settings)).toMatchObject({ protocol: 'file', path });
  });

  test.each([
    ['https://git.example/team/project.git', 'project'],
    ['https://git.example/team/project/?x=1#y', 'project'],
    ['git@git.example:project.git', 'project'],
    ['/home/me/my project', 'my-project'],
    ['/home/me/.config', 'config'],
    ['/', 'source'],
  ])('the name of %s is %s', (location, name) => {
    expect(repositoryName(location)).toBe(name);
  });
});

describe('options', () => {
  const submission = (options: Partial<PrefetchOptions>) =>
    submissionOf({ sbomFormat: 'cyclonedx-1.6', ...options });

  test('nothing named: detect', () => {
    expect(submission({})).toEqual({});
  });

  test('packages of several managers', () => {
    expect(
      submission({
        npm: ['.', 'web'],
        yarn: ['site'],
        pip: ['tools'],
        rubygems: ['docs'],
        requirements: ['a.txt', 'b.txt'],
        flag: ['gomod-vendor-check'],
        strictIntegrity: true,
      }),
    ).toEqual({
      packageManagers: ['NPM', 'YARN', 'PIP', 'RUBYGEMS'],
      packages: [
        { manager: 'NPM', path: '.' },
        { manager: 'NPM', path: 'web' },
        { manager: 'YARN', path: 'site' },
        { manager: 'PIP', path: 'tools', requirementsFiles: ['a.txt', 'b.txt'] },
        { manager: 'RUBYGEMS', path: 'docs' },
      ],
      flags: ['GOMOD_VENDOR_CHECK'],
      strictIntegrity: true,
    });
  });

  test('the source only', () => {
    expect(submission({ sourceOnly: true })).toEqual({ packageManagers: [] });
  });

  test.each([
    [{ sourceOnly: true, npm: ['.'] }, /--source-only/],
    [{ requirements: ['a.txt'] }, /--pip/],
    [{ flag: ['nonsense'] }, /"nonsense" is not a flag/],
  ])('%j is refused', (options, message) => {
    expect(() => submission(options)).toThrow(message);
  });
});

describe('outputs', () => {
  test.each(['b.tar.gz', 'b.tgz', 'b'])('the files beside %s', (name) => {
    expect(outputFiles(join('/out', name))).toEqual({
      archive: join('/out', name),
      sbom: '/out/b.sbom.json',
      manifest: '/out/b.manifest.json',
      provenance: '/out/b.provenance.jsonl',
      environment: '/out/stowage.env',
    });
  });

  test('places that cannot be written to are refused before any work', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'sub'));
    await requireWritable(join(directory, 'new.tar.gz'));
    await expect(requireWritable(join(directory, 'none/new.tar.gz'))).rejects.toThrow(
      'There is no directory',
    );
    await expect(requireWritable(join(directory, 'sub'))).rejects.toThrow('is a directory');
  });
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [999_960, '1.0 MB'],
  [12_345_678, '12.3 MB'],
])('%i bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [840, '0.8 s'],
  [59_900, '59.9 s'],
  [125_000, '2 min 05 s'],
])('%i ms are %s', (ms, text) => {
  expect(formatSeconds(ms)).toBe(text);
});
