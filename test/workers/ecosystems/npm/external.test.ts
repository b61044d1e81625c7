import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { npm } from '../../../../src/workers/ecosystems/npm/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

const COMMIT = 'ab'.repeat(20);
const URL = 'https://git.example/ns/dep.git';

interface Member {
  name: string;
  mode: number;
  mtime: number;
  owner: string;
  text: string;
}

/** The members of the tarball that a git dependency with these files becomes. */
async function packed(
  files: Parameters<typeof memorySourceTree>[0],
  executable: string[] = [],
): Promise<Member[]> {
  const tree = memorySourceTree(files);
  for (const path of executable) tree.entries.get(path)!.mode = '100755';
  const lock = JSON.stringify({
    name: 'x',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { 'node_modules/dep': { version: '4.0.0', resolved: `git+${URL}#${COMMIT}` } },
  });
  const source = memorySourceTree({ 'package.json': '{}', 'package-lock.json': lock });
  const { context, blobs } = resolveContext({ source, trees: { [`${URL}#${COMMIT}`]: tree } });
  const { files: made } = await npm.resolve(context);
  const archive = gunzipSync(blobs.blobs.get(made[0]!.digest)!);
  const members: Member[] = [];
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry) chunks.push(chunk as Uint8Array);
    const { name, mode = 0, mtime, uid, gid, uname, gname } = entry.header;
    const owner = `${uid}:${gid}:${uname}:${gname}`;
    members.push({ name, mode, mtime: mtime!.getTime(), owner, text: Buffer.concat(chunks).toString() });
  }
  return members;
}

const names = (members: Member[]) => members.map(({ name }) => name.replace(/^package\//, ''));

test('members are sorted, with fixed times, owners and modes, and the new version', async () => {
  const members = await packed(
    { 'package.json': '{"version":"4.0.0","name":"dep"}', 'lib/b.js': 'b', 'lib/a.js': 'a', 'bin/run': '#!' },
    ['bin/run'],
  );
  const time = Date.UTC(1985, 9, 26, 8, 15);
  const member = (name: string, text: string, mode = 0o644) => ({
    name: `package/${name}`,
    mode,
    mtime: time,
    owner: '0:0::',
    text,
  });
  expect(members).toEqual([
    member('bin/run', '#!', 0o755),
    member('lib/a.js', 'a'),
    member('lib/b.js', 'b'),
    member('package.json', `{\n  "version": "4.0.0-external-gitcommit-${COMMIT}",\n  "name": "dep"\n}\n`),
  ]);
});

test("npm's own choice of files", async () => {
  const base = {
    'index.js': '',
    'README.md': '',
    LICENSE: '',
    '.npmrc': 'secret',
    'package-lock.json': '',
    'node_modules/x/i.js': '',
    '.git/config': '',
    'a.orig': '',
    'test/t.js': '',
    'cli.js': '',
  };
  const manifest = (more: object) => ({ 'package.json': JSON.stringify({ version: '4.0.0', ...more }) });
  expect(names(await packed({ ...base, ...manifest({}) }))).toEqual([
    'LICENSE',
    'README.md',
    'cli.js',
    'index.js',
    'package.json',
    'test/t.js',
  ]);
  expect(names(await packed({ ...base, ...manifest({ files: ['index.js'], bin: './cli.js' }) }))).toEqual([
    'LICENSE',
    'README.md',
    'cli.js',
    'index.js',
    'package.json',
  ]);
  expect(
    names(await packed({ ...base, ...manifest({}), '.npmignore': 'test\n*.md\n', '.gitignore': 'cli.js' })),
  ).toEqual(['LICENSE', 'README.md', 'cli.js', 'index.js', 'package.json']);
});

test('links and odd fields of package.json do no harm', async () => {
  const members = await packed({
    'package.json': JSON.stringify({
      version: '4.0.0',
      files: ['../../../../etc/passwd', '/etc/passwd', 5, null, 'index.js', 'link'],
      bin: { x: 7, y: '../../../etc/passwd' },
      main: {},
      browser: [],
      bundleDependencies: ['x'],
      scripts: 'none',
      __proto__: null,
    }),
    'index.js': '',
    link: { link: 'index.js' },
    outside: { link: '/etc/passwd' },
  });
  expect(names(members)).toEqual(['index.js', 'package.json']);
});

test('long paths survive', async () => {
  const long = `${'directory/'.repeat(30)}file.js`;
  const members = await packed({ 'package.json': '{"version":"4.0.0"}', [long]: 'x' });
  expect(names(members)).toEqual([long, 'package.json']);
});

test('a name that no file system takes is refused', async () => {
  const name = 'x'.repeat(300);
  await expect(packed({ 'package.json': '{"version":"4.0.0"}', [name]: '' })).rejects.toThrow(
    `Could not process dependency dep@git+${URL}#${COMMIT}: ${'x'.repeat(100)} cannot be written: ENAMETOOLONG`,
  );
});
