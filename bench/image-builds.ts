import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { readEventStream } from '../src/cli/client/event-stream.ts';
import { whyNoBuilds } from '../test/support/build-stack.ts';
import { type BenchContext, type Figure, median, percentile, secondsOf } from './benchmark.ts';
import { type BuildStack, startBuildStack } from './build-stack.ts';
import { peakMemory, type Service } from './child-process.ts';

const run = promisify(execFile);
const MIB = 1024 ** 2;
const UPLOAD_BYTES = 1024 * MIB;
const LOG_LINES = 1_000_000;

/** Uploads of sources, builds beside bare `buildah`, and their logs, through Fandogh's API. Builds need root and buildah. */
export async function imageBuilds(context: BenchContext): Promise<Figure[]> {
  const { stage, say } = context;
  const stack = await startBuildStack(stage);
  const figures = await uploads(context, stack);
  const reason = whyNoBuilds();
  if (reason !== null) {
    say(`no builds are measured: ${reason}`);
    return figures;
  }
  await stack.database.sql.query(`update image_builds set state = 'cancelled' where state = 'queued'`);
  const worker = await stack.startWorker();
  figures.push(...(await againstBuildah(context, stack)), ...(await logSpeed(context, stack)));
  await worker.stop();
  await stack.gateway.stop();
  return figures;
}

// --- uploads --------------------------------------------------------------------------------------------------------

/** No worker runs: nothing but the upload is measured. Against `cp` of the archive on the same disk and `sync` of the copy. */
async function uploads({ stage, runs, say }: BenchContext, stack: BuildStack): Promise<Figure[]> {
  const directory = await stage.newDirectory();
  const copy = join(directory, 'copy');
  const speeds = { upload: [] as number[], copy: [] as number[] };
  let written = 0;
  for (let round = 1; round <= runs; round += 1) {
    const archive = await largeArchive(directory, round);
    const copying = await secondsOf(async () => {
      await run('cp', ['--reflink=never', archive, copy]);
      await run('sync', [copy]);
    });
    await rm(copy);
    const before = processBytes(stack.gateway, 'write_bytes');
    const uploading = await secondsOf(() => stack.publish(`upload-${round}`, archive));
    written = Math.max(written, processBytes(stack.gateway, 'write_bytes') - before);
    speeds.upload.push(UPLOAD_BYTES / 1e6 / uploading);
    speeds.copy.push(UPLOAD_BYTES / 1e6 / copying);
    say(`upload of 1 GiB: ${uploading.toFixed(2)} s, copy ${copying.toFixed(2)} s`);
  }
  return [
    {
      name: 'upload of a source of 1 GiB',
      measured: median(speeds.upload),
      unit: 'MB/s',
      yardstick: { name: 'cp and sync', value: median(speeds.copy) },
      budget: { of: 'ratio', comparison: 'at least', limit: 0.5 },
    },
    {
      name: 'written to the disk for an upload of 1 GiB, most',
      measured: written / 1e6,
      unit: 'MB',
      yardstick: { name: 'its size', value: UPLOAD_BYTES / 1e6 },
      budget: { of: 'ratio', comparison: 'at most', limit: 1.05 },
    },
    {
      name: 'memory of the gateway, uploads of 1 GiB, peak',
      measured: peakMemory(stack.gateway),
      unit: 'MB',
      yardstick: null,
      budget: { of: 'value', comparison: 'at most', limit: 300 },
    },
  ];
}

/** A tar of a Dockerfile and one file of bytes that are new each time, about as large as said. */
async function largeArchive(directory: string, round: number): Promise<string> {
  const context = join(directory, 'context');
  const archive = join(directory, 'archive.tar');
  await mkdir(context, { recursive: true });
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY data /data\n');
  const file = await open(join(context, 'data'), 'w');
  const block = randomBytes(4 * MIB);
  for (let at = 0; at < UPLOAD_BYTES; at += block.length) {
    block.writeUInt32LE(at / MIB + round * 4096);
    await file.write(block);
  }
  await file.close();
  await run('tar', ['-C', context, '-cf', archive, 'Dockerfile', 'data']);
  return archive;
}

// --- builds ---------------------------------------------------------------------------------------------------------

const DOCKERFILE = [
  'FROM scratch',
  'COPY busybox /bin/busybox',
  'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
  'RUN dd if=/dev/urandom of=/large bs=1M count=64 2>/dev/null',
  'COPY changed /changed',
  'RUN sha256sum /changed > /sum',
].join('\n');
const LARGE_LAYER = 64 * MIB;

/**
 * From the upload to BUILT, against the same commands by hand with a token of the same registry; by turns, and each time
 * one file has changed, so that both use the layers of before.
 */
async function againstBuildah(context: BenchContext, stack: BuildStack): Promise<Figure[]> {
  const { stage, runs, say } = context;
  const directory = await stage.newDirectory();
  const source = join(directory, 'context');
  await mkdir(source);
  await copyFile('/bin/busybox', join(source, 'busybox'));
  await writeFile(join(source, 'Dockerfile'), DOCKERFILE);
  const archive = join(directory, 'context.tar');
  const times = { ours: [] as number[], bare: [] as number[] };
  let pushed = 0;
  for (let round = 0; round <= runs; round += 1) {
    await writeFile(join(source, 'changed'), `${round} ${randomBytes(MIB).toString('hex')}`);
    await run('tar', ['-C', source, '-cf', archive, '.']);
    const bare = await secondsOf(() => bareBuild(directory, source, stack));
    const before = processBytes(stack.gateway, 'rchar');
    const ours = await secondsOf(async () => {
      await stack.publish(`build-${round}`, archive);
      await stack.built(`build-${round}`);
    });
    say(`build: ${ours.toFixed(2)}, buildah ${bare.toFixed(2)} s`);
    // The first one makes the layers that the others use.
    if (round === 0) continue;
    pushed = Math.max(pushed, processBytes(stack.gateway, 'rchar') - before);
    times.ours.push(ours);
    times.bare.push(bare);
  }
  return [
    {
      name: 'added to buildah bud and push of the same context',
      measured: median(times.ours.map((ours, index) => ours - times.bare[index]!)),
      unit: 's',
      yardstick: null,
      budget: { of: 'value', comparison: 'at most', limit: 1 },
    },
    {
      name: 'build with one changed file, upload to BUILT',
      measured: median(times.ours),
      unit: 's',
      yardstick: { name: 'buildah bud and push', value: median(times.bare) },
      budget: null,
    },
    {
      name: 'read by the gateway for a build whose layer of 64 MiB is unchanged, most',
      measured: pushed / 1e6,
      unit: 'MB',
      yardstick: { name: 'the layer', value: LARGE_LAYER / 1e6 },
      budget: { of: 'ratio', comparison: 'at most', limit: 0.5 },
    },
  ];
}

/** Where all of the benchmark has a real-time class, as on a machine that others use too, no group of `cpu` takes a step. */
const WITHOUT_CPU_GROUPS = [
  ...['--mount', 'sh', '-c'],
  'if [ -d /sys/fs/cgroup/cpu ]; then umount /sys/fs/cgroup/cpu; fi; exec "$@"',
  'sh',
];

async function bareBuild(directory: string, source: string, { gateway, token }: BuildStack): Promise<void> {
  const { host } = new URL(gateway.url!);
  const storage = ['--root', join(directory, 'storage'), '--runroot', join(directory, 'run')];
  const build = [
    'bud',
    '--layers',
    '--isolation',
    'oci',
    '--runtime',
    'runc',
    '--network',
    'host',
    '--timestamp',
    '0',
  ];
  const image = `${host}/bench/images/bare:latest`;
  await run('unshare', [...WITHOUT_CPU_GROUPS, 'buildah', ...storage, ...build, '-t', image, source], {
    maxBuffer: 64 * MIB,
  });
  await run('buildah', [...storage, 'push', '--tls-verify=false', '--creds', `bench:${token}`, image]);
}

// --- logs -----------------------------------------------------------------------------------------------------------

/** As fast as it goes; and as fast as the budget says, in small bursts. */
const LOUD = {
  full: `seq 1 ${LOG_LINES}`,
  steady: `n=1; while [ $n -lt ${LOG_LINES} ]; do seq $n $((n + 999)); n=$((n + 1000)); usleep 6500; done`,
};
const PROBE_MS = 10;

/** Builds that write a lot; a subscriber follows them live, and somebody else asks the gateway other things. */
async function logSpeed({ stage, say }: BenchContext, stack: BuildStack): Promise<Figure[]> {
  const directory = await stage.newDirectory();
  const quiet = await latencies(stack, pause(2000));
  const full = await loudBuild(stack, directory, 'full');
  const steady = await loudBuild(stack, directory, 'steady');
  for (const { script, speed, delay, latency } of [full, steady]) {
    say(
      `log, ${script}: ${Math.round(speed)} lines/s, behind by ${delay.toFixed(0)} ms, another request ${latency.toFixed(0)} ms (p99)`,
    );
  }
  const atSpeed = `at ${Math.round(steady.speed / 1000)},000/s`;
  return [
    {
      name: 'lines of one build kept',
      measured: full.speed,
      unit: '/s',
      yardstick: null,
      budget: { of: 'value', comparison: 'at least', limit: 100_000 },
    },
    {
      name: 'from such a line to its subscriber, p99',
      measured: full.delay,
      unit: 'ms',
      yardstick: null,
      // The budget is for the speed below: whoever reads more slowly than a build writes falls behind.
      budget: null,
    },
    {
      name: `from a line to its subscriber ${atSpeed}, p99`,
      measured: steady.delay,
      unit: 'ms',
      yardstick: null,
      budget: { of: 'value', comparison: 'at most', limit: 250 },
    },
    {
      name: `another request ${atSpeed}, p99`,
      measured: steady.latency,
      unit: 'ms',
      yardstick: { name: 'without the build', value: percentile(quiet, 99) },
      budget: { of: 'value', comparison: 'at most', limit: 100 },
    },
  ];
}

interface Loud {
  script: string;
  /** Lines a second, by the times that they were written at. */
  speed: number;
  /** p99, in milliseconds. */
  delay: number;
  latency: number;
}

/** Throws when a line is missing. */
async function loudBuild(stack: BuildStack, directory: string, script: keyof typeof LOUD): Promise<Loud> {
  const source = join(directory, script);
  await mkdir(source);
  await copyFile('/bin/busybox', join(source, 'busybox'));
  await writeFile(
    join(source, 'Dockerfile'),
    [
      'FROM scratch',
      'COPY busybox /bin/busybox',
      'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
      `RUN ${LOUD[script]}`,
    ].join('\n'),
  );
  const archive = join(directory, `${script}.tar`);
  await run('tar', ['-C', source, '-cf', archive, '.']);
  await stack.publish(script, archive);
  const watching = follow(stack, await stack.buildOf(script));
  const latency = percentile(await latencies(stack, stack.built(script)), 99);
  const { times, delays, numbers } = await watching;
  if (numbers.length < LOG_LINES) throw new Error(`${numbers.length} lines of ${LOG_LINES} came`);
  const speed = numbers.length / ((times.at(-1)! - times[0]!) / 1000);
  return { script, speed, delay: percentile(delays, 99), latency };
}

async function latencies({ gateway, token }: BuildStack, until: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const over = until.finally(() => {
    isOver = true;
  });
  const measured: number[] = [];
  while (!isOver) {
    const seconds = await secondsOf(async () => {
      const headers = { authorization: `Bearer ${token}`, 'active-namespace': 'bench' };
      await (await fetch(`${gateway.url}/api/images`, { headers })).arrayBuffer();
    });
    measured.push(seconds * 1000);
    await pause(PROBE_MS);
  }
  await over;
  return measured;
}

/** Lines that `seq` wrote, when they were written, and how much later each event with some of them came. */
async function follow(
  { gateway, token }: BuildStack,
  number: number,
): Promise<{ times: number[]; delays: number[]; numbers: number[] }> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({
      query: 'subscription ($number: Int!) { imageBuildLogPages(number: $number) { lines { at text } } }',
      variables: { number },
    }),
  });
  const times: number[] = [];
  const delays: number[] = [];
  const numbers: number[] = [];
  for await (const { event, data } of readEventStream(response.body!)) {
    if (event === 'complete') break;
    const { lines } = JSON.parse(data).data.imageBuildLogPages as { lines: { at: string; text: string }[] };
    const now = Date.now();
    for (const { at, text } of lines) {
      if (!/^\d+$/.test(text)) continue;
      if (Number(text) !== numbers.length + 1) throw new Error(`after line ${numbers.length} came ${text}`);
      numbers.push(Number(text));
      times.push(Date.parse(at));
      delays.push(now - Date.parse(at));
    }
  }
  return { times, delays, numbers };
}

// --- processes ------------------------------------------------------------------------------------------------------

/** What a process has read or written since its start: `rchar` counts sockets, `write_bytes` is what went to a disk. */
function processBytes({ pid }: Service, counter: 'rchar' | 'write_bytes'): number {
  return Number(new RegExp(`^${counter}: (\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1]);
}
