import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, BuildStack, canBuild } from '../support/build-stack.ts';

/** A build is ended when less than 256 MiB are left. */
const DISK = '450m';
const STEPS = `${BUSYBOX}\nCOPY step /step\nRUN sh /step`;

describe.runIf(canBuild())('on a disk that is nearly full', { timeout: 120_000 }, () => {
  let stack: BuildStack;
  let disk: string;

  beforeAll(async () => {
    stack = await BuildStack.start();
    disk = join(stack.directory, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'disk', disk]);
  });

  afterAll(async () => {
    await stack?.settled();
    if (disk) execFileSync('umount', [disk]);
    await stack?.close();
  });

  it('the build that has written most is ended, and the others go on', async () => {
    const builder = stack.builder({ STOWAGE_DATA_DIR: disk });
    const signals = join(stack.directory, 'signals');
    mkdirSync(signals);
    const limits = { diskBytes: 100 * 1024 ** 3 };
    const modest = stack.input(
      {
        Dockerfile: STEPS,
        step: 'dd if=/dev/zero of=/f bs=1M count=1; touch /signals/begun; until [ -e /signals/end ]; do sleep 0.1; done; echo went on',
      },
      {
        ...{ cacheScope: 'modest', isHermetic: true, limits },
        mounts: [{ directory: signals, path: '/signals', isWritable: true }],
      },
    );
    const going = builder.build(modest);
    going.catch(() => undefined);
    await expect.poll(() => readdirSync(signals), { timeout: 60_000 }).toEqual(['begun']);
    const greedy = stack.input(
      {
        Dockerfile: STEPS,
        step: 'dd if=/dev/zero of=/f bs=1M count=220; while true; do sleep 1; done',
      },
      { cacheScope: 'greedy', isHermetic: true, limits },
    );
    await expect(builder.build(greedy)).rejects.toMatchObject({
      code: 'out-of-disk',
      details: { line: 5 },
    });
    writeFileSync(join(signals, 'end'), '');
    expect(await going).toMatchObject({ digest: expect.stringMatching(/^sha256:/) });
    expect(modest.lines).toContain('went on');
  });
});
