import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inspectGem } from '../../../../src/workers/ecosystems/rubygems/gem-file.ts';
import { gemMetadata, gzip, makeGem, makeTar } from '../../../support/gem-server.ts';

const inspect = (content: Buffer) => inspectGem('a-gem', '1.2.0').run(() => Readable.from([content]));
const withMetadata = (yaml: string) =>
  makeTar({ 'metadata.gz': gzip(Buffer.from(yaml)), 'data.tar.gz': 'x' });

describe('a gem', () => {
  test.each([
    [['MIT'], 'MIT'],
    [['MIT', 'Apache-2.0'], 'MIT OR Apache-2.0'],
    [[], null],
  ])('with the licences %j', async (licenses, license) => {
    expect(await inspect(makeGem('a-gem', '1.2.0', { licenses }).content)).toEqual({ license });
  });

  test.each([
    [
      'of RubyGems 1.3',
      '--- !ruby/object:Gem::Specification \nname: a-gem\nversion: !ruby/object:Gem::Version \n  hash: 23\n  prerelease: \n  segments: \n  - 1\n  - 2\n  - 0\n  version: 1.2.0\nplatform: ruby\nlicenses: \n- GPL-2\n\n',
    ],
    [
      'with quotes',
      '---\nname: "a-gem"\nversion: !ruby/object:Gem::Version\n  version: \'1.2.0\'\nlicenses:\n- "GPL-2"\nplatform: ruby\n',
    ],
    [
      'with line ends of Windows',
      '---\r\nname: a-gem\r\nversion: &1 !ruby/object:Gem::Version\r\n  version: 1.2.0\r\nlicenses:\r\n- GPL-2\r\n',
    ],
  ])('%s', async (_, yaml) => {
    expect(await inspect(withMetadata(yaml))).toEqual({ license: 'GPL-2' });
  });

  test('whose metadata comes last', async () => {
    const content = makeTar({
      'data.tar.gz': 'x'.repeat(100_000),
      'metadata.gz': gzip(Buffer.from(gemMetadata('a-gem', '1.2.0'))),
    });
    expect(await inspect(content)).toEqual({ license: 'MIT' });
  });
});

const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`file-${index}`, '']));

test.each<[string, Buffer, string]>([
  ['nothing', Buffer.alloc(0), 'it has no metadata.gz'],
  ['a page of a proxy', Buffer.from('<html>'.repeat(200)), 'Invalid tar header'],
  ['half a gem', makeGem('a-gem', '1.2.0').content.subarray(0, 700), 'Unexpected end of data'],
  ['no metadata', makeTar({ 'data.tar.gz': 'x' }), 'it has no metadata.gz'],
  ['metadata behind too much', makeTar({ ...many, 'metadata.gz': '' }), 'it has no metadata.gz'],
  ['metadata that is not packed', makeTar({ 'metadata.gz': 'name: a-gem' }), 'incorrect header check'],
  [
    'too much metadata',
    makeTar({ 'metadata.gz': Buffer.alloc(2 * 1024 * 1024 + 1) }),
    'its metadata.gz is too large',
  ],
  [
    'a bomb',
    makeTar({ 'metadata.gz': gzipSync(Buffer.alloc(64 * 1024 * 1024)) }),
    'its metadata.gz unpacks to too much',
  ],
  [
    'no name',
    withMetadata('---\nversion: !ruby/object:Gem::Version\n  version: 1.2.0\n'),
    'it holds ? (1.2.0)',
  ],
  ['another gem', withMetadata(gemMetadata('b-gem', '1.2.0')), 'it holds b-gem (1.2.0)'],
  ['another version', withMetadata(gemMetadata('a-gem', '1.2.1')), 'it holds a-gem (1.2.1)'],
  [
    'another platform',
    withMetadata(gemMetadata('a-gem', '1.2.0', { platform: 'java' })),
    'it holds a-gem (1.2.0-java)',
  ],
])('%s is refused', async (_, content, problem) => {
  const error = await inspect(content).then(
    () => null,
    (reason: Error & { code: string }) => reason,
  );
  expect(error).toMatchObject({ name: 'ValidationError', code: 'package-rejected' });
  expect(error!.message).toContain('The file a-gem-1.2.0.gem is not that gem: ');
  expect(error!.message).toContain(problem);
});
