import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { verifyImage } from '../../src/cli/verify/verify-image.ts';
import { BUSYBOX, busybox, canBuild } from '../support/build-stack.ts';
import { TestGateway } from '../support/gateway.ts';
import { BOUNDARY, uploadBody } from '../support/multipart.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** Real workers, a real builder and a real gateway: what happens to builds when workers come and go. */
describe.runIf(canBuild())('images', { timeout: 120_000 }, () => {
  let gateway: TestGateway;
  let directory: string;
  const workers: WorkerProcess[] = [];

  beforeAll(async () => {
    gateway = await TestGateway.start();
    directory = mkdtempSync(join(tmpdir(), 'stowage-images-'));
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.end('SIGTERM')));
  });
  afterAll(async () => {
    await gateway?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const startWorker = (): WorkerProcess => {
    const worker = new WorkerProcess({
      DATABASE_URL: gateway.stack.database.url,
      STOWAGE_DATA_DIR: gateway.stack.settings.dataDir,
      STOWAGE_BUILD_CONCURRENCY: '2',
    });
    workers.push(worker);
    return worker;
  };

  function contextOf(dockerfile: string, files: Record<string, string> = {}): Buffer {
    const context = mkdtempSync(join(directory, 'context-'));
    for (const [path, content] of Object.entries(files)) writeFileSync(join(context, path), content);
    copyFileSync(busybox(), join(context, 'busybox'));
    chmodSync(join(context, 'busybox'), 0o755);
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    return execFileSync('tar', ['-C', context, '-c', '.'], { maxBuffer: 2 ** 28 });
  }

  async function build(image: string, dockerfile: string | Buffer): Promise<number> {
    const content = typeof dockerfile === 'string' ? contextOf(dockerfile) : dockerfile;
    const query = `mutation ($file: Upload!) {
      x: uploadAndBuild(file: $file, input: { project: "apps", image: "${image}", version: "1" }) {
        ... on Error { message } ... on MutationUploadAndBuildSuccess { data { number } }
      }
    }`;
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'x-stowage-csrf': '1',
        ...gateway.headers('ada'),
      },
      body: new Uint8Array(uploadBody({ name: 'a.tar', content }, query)),
    });
    const answer = (await response.json()) as { data: { x: { data: { number: number } } } };
    return answer.data.x.data.number;
  }

  const STATE = `query ($number: Int!) { imageBuild(number: $number) {
    state attempt digest failure { reason message line } log(limit: 5000) { lines { text } }
  } }`;
  const stateOf = async (number: number) => (await gateway.data(STATE, { number })).imageBuild;
  const until = async (number: number, state: string) => {
    await expect
      .poll(async () => (await stateOf(number)).state, { timeout: 60_000, interval: 200 })
      .toBe(state);
    return await stateOf(number);
  };
  const untilLogged = (number: number, text: string) =>
    expect
      .poll(
        async () =>
          (await stateOf(number)).log.lines.filter((line: { text: string }) => line.text === text).length,
        { timeout: 60_000, interval: 100 },
      )
      .toBeGreaterThan(0);

  /** Processes of this machine with a text in their command line. */
  const processesWith = (marker: string): string[] =>
    readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker);
      } catch {
        return false;
      }
    });
  const mounts = (): string[] =>
    readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(gateway.stack.settings.dataDir));

  test('twice the same give the same image, and a failing step is told with its line', async () => {
    startWorker();
    const source = contextOf(`${BUSYBOX}\nRUN echo hello from a step\n`, {
      'package.json': '{}',
      'package-lock.json':
        '{"lockfileVersion":3,"packages":{"node_modules/from-the-lock":{"version":"1.2.3"}}}',
    });
    const [one, two] = [await build('same', source), await build('other', source)];
    const first = await until(one, 'SUCCEEDED');
    expect(first.digest).toBe((await until(two, 'SUCCEEDED')).digest);
    const texts = first.log.lines.map(({ text }: { text: string }) => text);
    expect(texts[0]).toBe('workspace is ready.');
    expect(texts).toContain('hello from a step');
    expect(texts.slice(-2)).toEqual([
      'Pushing image to the registry...',
      'Image has been pushed into the registry.',
    ]);

    // What is attached is verified, shown, and found by what is in it.
    const token = gateway.headers('ada').authorization!.slice('Bearer '.length);
    const verified = await verifyImage(
      'apps/images/same:1',
      { server: gateway.url, token },
      new AbortController().signal,
    );
    expect(verified).toMatchObject({
      ...{ ok: true, image: { digest: first.digest }, sbom: { components: 1 }, attestations: 2 },
      provenance: { builtFrom: 'upload' },
    });
    const attached = await gateway.data(
      'query ($number: Int!) { imageBuild(number: $number) { manifest { referrers { nodes { artifactType } } } } }',
      { number: one },
    );
    const artifactType = 'application/vnd.dsse.envelope.v1+json';
    expect(attached.imageBuild.manifest.referrers.nodes).toEqual([{ artifactType }, { artifactType }]);
    const found = '{ components(name: "from-the-lock") { nodes { purl images { nodes { path } } } } }';
    await expect
      .poll(async () => (await gateway.data(found)).components.nodes, { timeout: 30_000 })
      .toEqual([
        {
          purl: 'pkg:npm/from-the-lock@1.2.3',
          images: { nodes: [{ path: 'apps/images/other' }, { path: 'apps/images/same' }] },
        },
      ]);

    const failing = await until(await build('failing', `${BUSYBOX}\nRUN exit 7\n`), 'FAILED');
    expect(failing.failure).toMatchObject({ reason: 'STEP_FAILED', line: 4 });
  });

  test('a worker that is killed in the middle leaves nothing, and another one builds the image', async () => {
    const marker = '7654321';
    const killed = startWorker();
    const number = await build(
      'killed',
      `${BUSYBOX}\nRUN echo waiting; sleep $(cat /wait 2>/dev/null || echo ${marker})\n`,
    );
    await untilLogged(number, 'waiting');
    await killed.end('SIGKILL');
    await expect.poll(() => processesWith(marker), { timeout: 5_000 }).toEqual([]);
    expect(mounts()).toEqual([]);

    startWorker();
    await expect.poll(async () => (await stateOf(number)).attempt, { timeout: 60_000 }).toBe(2);
    await expect.poll(() => processesWith(marker).length, { timeout: 60_000 }).toBeGreaterThan(0);
    const before = performance.now();
    await gateway.data(`mutation { cancelImageBuild(number: ${number}) { __typename } }`);
    await expect.poll(() => processesWith(marker), { timeout: 2_000, interval: 50 }).toEqual([]);
    expect(performance.now() - before).toBeLessThan(2_000);
    await expect.poll(mounts, { timeout: 5_000 }).toEqual([]);
  });

  test('a worker that is told to stop gives its build back', async () => {
    const stopping = startWorker();
    const number = await build('given-back', `${BUSYBOX}\nRUN echo waiting; sleep 8\n`);
    await untilLogged(number, 'waiting');
    expect(await stopping.end('SIGTERM')).toBe(0);
    expect((await stateOf(number)).state).toBe('QUEUED');
    startWorker();
    expect(await until(number, 'SUCCEEDED')).toMatchObject({ attempt: 2, failure: null });
  });
});
