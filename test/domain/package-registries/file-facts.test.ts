import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import { FileFacts } from '../../../src/domain/package-registries/file-facts.ts';
import { gemFile } from '../../../src/domain/package-registries/gem-file.ts';
import { npmTarball } from '../../../src/domain/package-registries/npm-tarball.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { testDatabase } from '../../support/database.ts';
import { deletedBlobs } from '../../support/deleted-blobs.ts';
import { gzip, makeTar } from '../../support/gem-server.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';
import { makeTarball } from '../../support/npm-registry.ts';

/** In pieces, as a store gives them. */
function streamOf(content: Uint8Array): Readable {
  const bytes = Buffer.from(content);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 100) }, (_, index) =>
    bytes.subarray(index * 100, index * 100 + 100),
  );
  return Readable.from(pieces, { objectMode: false });
}

describe('What an npm tarball tells', () => {
  const PLAIN = makeTarball({ 'package.json': '{"name":"a"}' });
  const OUTSIDE = makeTarball({ 'lib/package.json': '{"name":"inner"}', 'index.js': '' });
  const cases: [what: string, content: Uint8Array, manifest: object, hasShrinkwrap?: boolean][] = [
    ['a package.json', PLAIN, { name: 'a' }],
    ['another folder name', makeTarball({ 'package.json': '{"name":"a"}' }, 'other'), { name: 'a' }],
    ['a byte order mark', makeTarball({ 'package.json': '\uFEFF{"name":"a"}' }), { name: 'a' }],
    ['a readme', makeTarball({ 'package.json': '{"name":"a","readme":"long"}' }), { name: 'a' }],
    ['a shrinkwrap', makeTarball({ 'package.json': '{}', 'npm-shrinkwrap.json': '{}' }), {}, true],
    ['one that lies deeper', OUTSIDE, {}],
    ['one that is no JSON', makeTarball({ 'package.json': '{"name":' }), {}],
    ['one that is a list', makeTarball({ 'package.json': '[]' }), {}],
    ['one that is too large', makeTarball({ 'package.json': `"${'a'.repeat(4 * 1024 * 1024)}"` }), {}],
    ['a tarball that is cut off', PLAIN.subarray(0, 60), {}],
    ['a tarball with rubbish behind it', Buffer.concat([PLAIN, Buffer.from('rubbish')]), { name: 'a' }],
    ['no tar', gzipSync('x'.repeat(2_000)), {}],
    ['no gzip', Buffer.from('x'.repeat(200_000)), {}],
    ['nothing', Buffer.alloc(0), {}],
  ];
  test.each(cases)('%s', async (_, content, manifest, hasShrinkwrap = false) => {
    expect(await npmTarball.read(streamOf(content))).toEqual({
      manifest,
      hasShrinkwrap,
      sha1: createHash('sha1').update(content).digest('hex'),
      sha512: createHash('sha512').update(content).digest('base64'),
    });
  });

  test('names that mean something to JavaScript are names', async () => {
    const content = makeTarball({ 'package.json': '{"__proto__":{"polluted":1},"constructor":"x"}' });
    const { manifest } = await npmTarball.read(streamOf(content));
    expect(Object.keys(manifest)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('What a gem tells', () => {
  const gem = (yaml: string | Uint8Array) => makeTar({ 'metadata.gz': gzip(Buffer.from(yaml as string)) });
  const NOTHING = { dependencies: [], requiredRuby: [], requiredRubygems: [] };
  const OLD = `--- !ruby/object:Gem::Specification
name: old
version: !ruby/object:Gem::Version
  version: 1.0.0
dependencies:
- !ruby/object:Gem::Dependency
  name: zeta
  requirement: &70310 !ruby/object:Gem::Requirement
    none: false
    requirements:
    - - ! '>='
      - !ruby/object:Gem::Version
        version: 1.10
    - - <
      - !ruby/object:Gem::Version
        version: '3'
  type: :runtime
  prerelease: false
  version_requirements: *70310
- !ruby/object:Gem::Dependency
  name: for-tests
  requirement: *70310
  type: :development
- !ruby/object:Gem::Dependency
  name: alpha
  type: :runtime
  version_requirements: !ruby/object:Gem::Requirement
    requirements:
    - - ~>
      - !ruby/object:Gem::Version
        version: 2.0.0.rc1
files:
- - "odd: [unclosed"
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - '>='
    - !ruby/object:Gem::Version
      version: 1.9.3
  - - "<"
    - !ruby/object:Gem::Version
      version: '4'
`;

  test('dependencies of the runtime and required versions, in the YAML of all times', async () => {
    expect(await gemFile.read(streamOf(gem(OLD)))).toEqual({
      dependencies: [
        { name: 'alpha', requirements: ['~> 2.0.0.rc1'] },
        { name: 'zeta', requirements: ['>= 1.10', '< 3'] },
      ],
      requiredRuby: ['>= 1.9.3', '< 4'],
      requiredRubygems: ['>= 0'],
    });
  });

  test.each([
    [`name: "a\\nb 1.0"`, 'a name of two lines'],
    ['name: a b', 'a name of two words'],
    ['name: [a]', 'a name that is a list'],
    ['type: :runtime', 'no name'],
  ])('%j is left out: %s', async (name) => {
    const yaml = `dependencies:\n- !ruby/object:Gem::Dependency\n  ${name}\n`;
    expect((await gemFile.read(streamOf(gem(yaml)))).dependencies).toEqual([]);
  });

  test('requirements that are none are left out', async () => {
    const yaml =
      'dependencies:\n- name: a\n  requirement:\n    requirements:\n    - - ">= 1|evil"\n      - version: 1\n' +
      '    - - ">="\n      - version: "1\\n2.0 |"\n    - text\n    - - "="\n      - version: 1.2\n';
    expect((await gemFile.read(streamOf(gem(yaml)))).dependencies).toEqual([
      { name: 'a', requirements: ['= 1.2'] },
    ]);
  });

  const laughs = Array.from({ length: 12 }, (_, level) =>
    level === 0 ? '- &a0 [x, x]' : `- &a${level} [${`*a${level - 1},`.repeat(9)} x]`,
  );
  test.each([
    ['no tar', Buffer.from('x'.repeat(3_000))],
    ['a tar without metadata', makeTar({ 'data.tar.gz': gzip(Buffer.from('')) })],
    ['metadata that are not packed', makeTar({ 'metadata.gz': 'name: a\n' })],
    ['metadata that unpack to too much', gem(Buffer.alloc(20 * 1024 * 1024))],
    ['aliases without end', gem(`dependencies:\n${laughs.join('\n')}\n`)],
    ['nothing', Buffer.alloc(0)],
  ])('nothing of %s', async (_, content) => {
    expect(await gemFile.read(streamOf(content))).toEqual(NOTHING);
  });
});

describe('Facts about files', () => {
  let database: Database;
  const blobs = new MemoryBlobStore();
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());

  const reader = (name: string, read: (text: string) => object) => ({
    name,
    reads: 0,
    async read(file: Readable) {
      this.reads += 1;
      const chunks: Buffer[] = [];
      for await (const chunk of file as AsyncIterable<Buffer>) chunks.push(chunk);
      return read(Buffer.concat(chunks).toString());
    },
  });
  async function store(...texts: string[]): Promise<Digest[]> {
    const stored = texts.map((text) => blobs.put(Buffer.from(text)));
    await recordBlobs(database.sql, stored);
    return stored.map(({ digest }) => digest);
  }

  test('are read once, by each reader', async () => {
    const facts = new FileFacts(database.sql, blobs);
    const [one, two] = await store('one', 'two');
    const lengths = reader('length-1', (text) => ({ length: text.length }));
    const many = await Promise.all(Array.from({ length: 10 }, () => facts.of(lengths, [one!, two!, one!])));
    for (const known of many) {
      expect(known).toEqual(
        new Map([
          [one, { length: 3 }],
          [two, { length: 3 }],
        ]),
      );
    }
    expect(lengths.reads).toBe(2);
    await new FileFacts(database.sql, blobs).of(lengths, [one!, two!]);
    expect(lengths.reads).toBe(2);
    const texts = reader('text-1', (text) => ({ text }));
    expect(await facts.of(texts, [one!])).toEqual(new Map([[one, { text: 'one' }]]));
    expect(await facts.of(texts, [])).toEqual(new Map());
  });

  test('are asked for again when reading failed', async () => {
    const facts = new FileFacts(database.sql, blobs);
    const [digest] = await store('failing');
    let fails = true;
    const failing = reader('failing-1', () => {
      if (fails) throw new Error('the disk is gone');
      return { fine: true };
    });
    await expect(facts.of(failing, [digest!])).rejects.toThrow('the disk is gone');
    fails = false;
    expect(await facts.of(failing, [digest!])).toEqual(new Map([[digest, { fine: true }]]));
  });

  test('go with their files', async () => {
    const [digest] = await store('unused');
    await new FileFacts(database.sql, blobs).of(
      reader('length-1', () => ({})),
      [digest!],
    );
    await database.sql.query(`update blobs set created_at = now() - interval '1 day' where digest = $1`, [
      digest,
    ]);
    expect(await deletedBlobs(database.sql, 3600)).toEqual([digest]);
    expect(await database.sql.query('select from package_file_facts where digest = $1', [digest])).toEqual(
      [],
    );
  });
});
