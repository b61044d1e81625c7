import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, BuildStack, canBuild } from '../support/build-stack.ts';

describe.runIf(canBuild())('builds at the same time on one cache', { timeout: 300_000 }, () => {
  let stack: BuildStack;

  beforeAll(async () => {
    stack = await BuildStack.start();
    const base = { ...stack.input({}).destination, path: 'apps/images/base' };
    await stack.build({ Dockerfile: `${BUSYBOX}\nRUN echo base > /base` }, { destination: base });
  }, 300_000);

  afterAll(async () => {
    await stack?.close();
  });

  /** Of the input `which`: two steps, of which the first is that of every other one too. */
  const build = async (which: number, at: number, useCache: boolean): Promise<string> => {
    const Dockerfile = `FROM apps/images/base\nCOPY shared /shared\nRUN echo same > /same\nRUN echo ${which} > /own\nLABEL n=${which}`;
    const destination = { ...stack.input({}).destination, path: `apps/images/app${at}` };
    const { digest } = await stack.build(
      { Dockerfile, shared: 'x'.repeat(100_000) },
      { destination, useCache },
    );
    return digest;
  };

  it.each([
    [2, true],
    [4, true],
    [8, true],
    [4, false],
  ])('%i of them, with a cache: %s', async (count, useCache) => {
    const at = Array.from({ length: count }, (_, index) => index);
    // Two of each input.
    const input = (index: number) => count * 100 + (index >> 1);
    const digests = await Promise.all(at.map((index) => build(input(index), index, useCache)));
    for (const index of at) expect(digests[index]).toBe(digests[index & ~1]);
    expect(new Set(digests).size).toBe(count / 2);
    const alone = await build(input(0), 0, useCache);
    expect(alone).toBe(digests[0]);
  });

  it('a build that empties the cache at its end waits for those that still need it', async () => {
    const builder = stack.builder({ STOWAGE_BUILD_CACHE_BYTES: '1' });
    const files = (step: string) => ({ Dockerfile: `FROM apps/images/base\nRUN echo ${step}` });
    const empties = async (): Promise<void> => {
      await builder.build(stack.input(files('inner')));
      await builder.settled();
    };
    const destination = { ...stack.input({}).destination, path: 'apps/images/still-needed' };
    const input = stack.input(files('outer'), { destination });
    const built = builder.build({
      ...input,
      // Between its steps and its push, when no command of it runs.
      onLine: (line) => (line.startsWith('Pushing image') ? empties() : null),
    });
    expect((await built).digest).toMatch(/^sha256:/);
    await builder.settled();
    // Then nobody was in the way.
    const again = stack.input(files('outer'));
    await stack.builder().build(again);
    expect(again.lines.join('\n')).not.toContain('Using cache');
  });

  it('some with and some without the cache', async () => {
    const at = Array.from({ length: 6 }, (_, index) => index);
    const digests = await Promise.all(at.map((index) => build(7, index, index % 2 === 0)));
    expect(new Set(digests).size).toBe(1);
  });
});
