import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { ImageBuild } from '../../../src/workers/builders/image-builder.ts';
import { readDockerfile } from '../../../src/workers/builders/read-dockerfile.ts';

const contextDirectory = mkdtempSync(join(tmpdir(), 'stowage-dockerfile-'));
afterAll(() => rmSync(contextDirectory, { recursive: true, force: true }));

const read = async (text: string): Promise<string> => {
  writeFileSync(join(contextDirectory, 'Dockerfile'), text);
  return await readDockerfile({ contextDirectory, dockerfile: 'Dockerfile' } as ImageBuild);
};

test('a line of hashes that would hold up the worker is refused, banners are not', async () => {
  const banners = `${'#'.repeat(1_000)}\nFROM scratch\n`.repeat(3);
  expect(await read(banners)).toBe(banners);
  for (const line of ['#'.repeat(1_001), '# '.repeat(1_001), `RUN echo ${'#'.repeat(4_000_000)}`]) {
    await expect(read(`FROM scratch\n${line}\n`)).rejects.toMatchObject({
      code: 'dockerfile-invalid',
      message: 'Dockerfile has a line with more than 1000 "#"',
    });
  }
});
