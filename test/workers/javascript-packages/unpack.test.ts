import { buffer, text } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { unpackTarball } from '../../../src/workers/javascript-packages/unpack.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

async function unpack(...names: string[]): Promise<Record<string, string>> {
  const archive = pack();
  for (const name of names) archive.entry({ name }, name);
  archive.finalize();
  const blobs = new FileBlobStore(temporaryDirectory());
  const blob = await blobs.write(await buffer(archive));
  const files = await unpackTarball(blobs, blob, temporaryDirectory(), {
    limits: readSettings({}).limits,
    described: 'dep@1.0.0',
    signal: new AbortController().signal,
  });
  const contents = files.map(async ({ path, open }) => [path, await text(open())] as const);
  return Object.fromEntries(await Promise.all(contents));
}

test('the first part of a name is dropped, whatever it is; what lies beside it is left out', async () => {
  expect(await unpack('._odd root', './odd root/package.json', 'odd root/./lib//a.js')).toEqual({
    'package.json': './odd root/package.json',
    'lib/a.js': 'odd root/./lib//a.js',
  });
});

test.each(['/package/x', 'package/../../x', '../x', '..', 'package/a\\b'])('refused: %s', async (name) => {
  await expect(unpack(name)).rejects.toMatchObject({
    code: 'package-rejected',
    message: `Could not process dependency dep@1.0.0: the archive has the unsafe member ${JSON.stringify(name)}`,
  });
});
