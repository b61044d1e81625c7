import { appendFile, chmod } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { age } from '../../support/aged-registry.ts';
import { RegistryStack } from '../../support/registry-stack.ts';
import { stowage } from '../../support/stowage-command.ts';

const NAME = 'apps/images/web';

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

const run = (...args: string[]) =>
  stowage(args, { env: { DATABASE_URL: stack.database.url, STOWAGE_DATA_DIR: stack.dataDir } });

test('gc --dry-run explains, and changes nothing; gc does it', async () => {
  await stack.pushImage(NAME, 'v1');
  expect(await run('gc', '--dry-run')).toEqual({ status: 0, stdout: 'nothing to remove\n', stderr: '' });

  const { digest } = await stack.pushImage(NAME, 'v2');
  await stack.call('DELETE', `/v2/${NAME}/manifests/v2`);
  await stack.pushBlob(NAME, 'named by nobody');
  await age(stack, 2);
  const explanation = [
    'would remove 1: manifests whose last tag was deleted, or that the rules of their repository do not keep without one',
    `  ${NAME}@${digest}`,
    'would remove 1: blobs of an image that none of its manifests names',
    expect.stringMatching(new RegExp(`^ {2}${NAME}@sha256:[0-9a-f]{64}$`)),
    'not yet 1 (15 B): blobs that somebody may still be about to use',
    '',
  ];
  for (let time = 1; time <= 2; time += 1) {
    const { stdout, ...rest } = await run('gc', '--dry-run');
    expect(stdout.split('\n')).toEqual(explanation);
    expect(rest).toEqual({ status: 0, stderr: '' });
  }

  const { stdout } = await run('gc', '--json');
  const manifestBytes = JSON.parse(stdout).unnamedBlobs.bytes - 15;
  expect(manifestBytes).toBeGreaterThan(300);
  expect(JSON.parse(stdout)).toEqual({
    untaggedManifests: { items: 1, bytes: 0 },
    unusedImageBlobs: { items: 1, bytes: 0 },
    unnamedBlobs: { items: 2, bytes: manifestBytes + 15 },
  });
  await age(stack, 2);
  expect((await run('gc')).stdout).toMatch(
    /^removed 2: blobs of an image .*\nremoved 2 \(\d+ B\): bytes that nothing/,
  );
  expect((await run('gc', '--grace', '1s')).stdout).toBe('nothing to remove\n');
  expect((await run('gc', '--grace', 'soon')).status).toBe(4);
});

test('fsck says what is damaged and who needs it', async () => {
  const { digest, layer } = await stack.pushImage(NAME, 'v3');
  expect((await run('fsck')).stdout).toMatch(/^\d+ blobs, [\d.]+ k?B: all whole\n$/);
  const path = stack.blobs.localPath(layer as Digest);
  await chmod(path, 0o644);
  await appendFile(path, 'x');
  const text = `changed ${layer}\n  used by ${NAME}@${digest}\n`;
  const report = await run('fsck', '--report-only');
  expect(report).toMatchObject({ status: 10, stderr: '' });
  expect(report.stdout).toMatch(/: 1 damaged\n$/);
  expect(report.stdout.startsWith(text)).toBe(true);
  const { status, stdout } = await run('fsck');
  expect([status, stdout.startsWith(text)]).toEqual([10, true]);
  expect(stdout).toContain('set aside');
  const after = JSON.parse((await run('fsck', '--json')).stdout);
  expect(after).toMatchObject({ damaged: [{ digest: layer, problem: 'missing' }], damagedBundles: [] });
});

test('what was done, and not what was only looked at, is in the audit log', async () => {
  expect(
    await stack.database.sql.query(
      `select action, details, count(*) from audit_log
       where address = 'command' and code is null group by 1, 2 order by 1, 2`,
    ),
  ).toEqual([
    { action: 'checkStore', details: {}, count: 3 },
    { action: 'collectGarbage', details: { graceSeconds: 1 }, count: 1 },
    { action: 'collectGarbage', details: { graceSeconds: 3600 }, count: 2 },
  ]);
});
