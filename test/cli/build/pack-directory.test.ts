import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packDirectory } from '../../../src/cli/build/pack-directory.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-pack-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const signal = new AbortController().signal;

function tree(name: string, files: Record<string, string>): string {
  const root = join(directory, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

async function pack(root: string, options: object = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const given = { dockerfile: 'Dockerfile', time: 1_700_000_000, signal, ...options };
  for await (const chunk of packDirectory(root, given)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const list = (tar: Buffer): string[] =>
  execFileSync('tar', ['tf', '-'], { input: tar, encoding: 'utf8' }).trimEnd().split('\n');

test('sends what .dockerignore leaves, and always what the builder reads', async () => {
  const root = tree('ignore', {
    '.dockerignore': 'node_modules\n*.log\nDockerfile\n.dockerignore\nbuild/\n!build/keep\n',
    Dockerfile: 'FROM scratch\n',
    'a.txt': 'a',
    'x.log': 'x',
    'node_modules/x/index.js': 'x',
    'build/out.bin': 'x',
    'build/keep/me': 'x',
  });
  expect(list(await pack(root))).toEqual([
    ...['.dockerignore', 'Dockerfile', 'a.txt', 'build/keep/', 'build/keep/me'],
  ]);
});

test('the ignore file of a Dockerfile comes before that of the directory', async () => {
  const root = tree('own-ignore', {
    '.dockerignore': 'a.txt\n',
    'ci/Dockerfile': 'FROM scratch\n',
    'ci/Dockerfile.dockerignore': 'b.txt\nci\n',
    'a.txt': 'a',
    'b.txt': 'b',
  });
  expect(list(await pack(root, { dockerfile: 'ci/Dockerfile' }))).toEqual([
    ...['.dockerignore', 'a.txt', 'ci/Dockerfile', 'ci/Dockerfile.dockerignore'],
  ]);
});

test('the same files give the same bytes, whatever times, modes and order they have', async () => {
  const files = { Dockerfile: 'FROM scratch\n', 'b/run.sh': 'true\n', 'a.txt': 'a', 'naïve.txt': 'é' };
  const one = tree('one', files);
  const other = tree('other', Object.fromEntries(Object.entries(files).reverse()));
  chmodSync(join(one, 'b/run.sh'), 0o755);
  chmodSync(join(other, 'b/run.sh'), 0o700);
  chmodSync(join(other, 'a.txt'), 0o600);
  utimesSync(join(other, 'a.txt'), 1, 1);
  const [first, second] = await Promise.all([pack(one), pack(other)]);
  expect(first.equals(second)).toBe(true);
});

test('links stay links, and what is no file is left out', async () => {
  const root = tree('links', { Dockerfile: 'FROM scratch\n', 'sub/a': 'a' });
  symlinkSync('sub/a', join(root, 'link'));
  symlinkSync('/etc/passwd', join(root, 'outside'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const skipped: string[] = [];
  const tar = await pack(root, { onSkipped: (path: string) => skipped.push(path) });
  const lines = execFileSync('tar', ['tvf', '-'], { input: tar, encoding: 'utf8' });
  expect(lines).toContain('link -> sub/a');
  expect(lines).toContain('outside -> /etc/passwd');
  expect(skipped).toEqual(['pipe']);
});

test('a directory that is not there, and a broken pattern', async () => {
  await expect(pack(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  const root = tree('broken', { Dockerfile: 'FROM scratch\n', '.dockerignore': '[a\n' });
  await expect(pack(root)).rejects.toMatchObject({ code: 'invalid-input' });
});
