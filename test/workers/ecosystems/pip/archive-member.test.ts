import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../support/resolve-context.ts';

/** In a process of its own: what nobody catches would end a worker. */
const SCRIPT = `
import { createReadStream } from 'node:fs';
import { findInTar } from '${new URL('../../../../src/workers/ecosystems/pip/archive-member.ts', import.meta.url)}';
const [path, kind, name] = process.argv.slice(2);
const caps = { entries: 1000, bytes: 1e9, ratio: 1000, member: 1e6 };
const found = await findInTar(createReadStream(path), kind, (one) => one.endsWith(name), caps, new AbortController().signal);
await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
console.log(found === null ? 'nothing' : found.toString());
`;

describe('a member of an archive', () => {
  test.each([
    ['tar', 'cf'],
    ['tar.gz', 'czf'],
    ['tar.bz2', 'cjf'],
    ['tar.xz', 'cJf'],
  ])('%s: the rest of the archive is left unread without harm', (kind, flags) => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'one'));
    writeFileSync(join(directory, 'one/PKG-INFO'), 'Name: one');
    // Much that does not compress, so that streams are still full when the reader leaves.
    writeFileSync(join(directory, 'one/z'), Buffer.from(Array.from({ length: 3_000_000 }, Math.random)));
    execFileSync('tar', [flags, 'one.tar', 'one/PKG-INFO', 'one/z'], { cwd: directory });
    const script = join(directory, 'script.ts');
    writeFileSync(script, SCRIPT);
    const run = (name: string) =>
      spawnSync(process.execPath, [script, join(directory, 'one.tar'), kind, name], { encoding: 'utf8' });
    expect(run('PKG-INFO')).toMatchObject({ status: 0, stdout: 'Name: one\n', stderr: '' });
    expect(run('absent')).toMatchObject({ status: 0, stdout: 'nothing\n', stderr: '' });
  });
});
