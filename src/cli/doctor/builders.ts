import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Settings } from '../../domain/config.ts';
import { ControlGroup } from '../../workers/builders/control-group.ts';
import { SYSTEM_CALL_PROFILE } from '../../workers/builders/system-calls.ts';
import { type CheckResult, ok, reason, warn } from './check.ts';
import { find } from './tools.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;

/** Programs of the builder buildah, by the package of Debian that has them. */
const PACKAGES: Readonly<Record<string, string>> = {
  buildah: 'buildah',
  skopeo: 'skopeo',
  runc: 'runc',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  flock: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
};

/** Whether images can be built on this machine, and what is missing. Bundles need none of it. */
export async function imageBuilder({
  builder,
  buildIsolation,
  buildkitHost,
}: Settings): Promise<CheckResult[]> {
  const name = 'image builder';
  if (builder === 'buildkit') return [await dockerEngine(name, buildkitHost)];
  const needed = Object.keys(PACKAGES).filter((program) => program !== 'runc' || buildIsolation === 'oci');
  const missing = (
    await Promise.all(needed.map(async (program) => ((await find(program)) ? [] : [program])))
  ).flat();
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => PACKAGES[program]!))];
    return [
      warn(name, `not found: ${missing.join(', ')}`, `To build images, install ${packages.join(', ')}.`),
    ];
  }
  if (process.getuid?.() !== 0) {
    return [
      warn(
        name,
        'this is not root',
        'To build images, run the worker as root: builds get namespaces and limits.',
      ),
    ];
  }
  const problem = (await namespacesProblem()) ?? (await limitsProblem()) ?? (await profileProblem());
  if (problem) return [warn(name, ...problem)];
  const { stdout } = await run('buildah', ['--version'], { timeout: TIMEOUT_MS, cwd: '/' });
  const version = /version (\S+)/.exec(stdout)?.[1] ?? 'unknown version';
  return [ok(name, `buildah ${version}, isolation ${buildIsolation}`), await outboundNetwork()];
}

async function dockerEngine(name: string, host: string | null): Promise<CheckResult> {
  const options = host === null ? [] : ['--host', host];
  return await run('docker', [...options, 'version', '--format', '{{.Server.Version}}'], {
    timeout: TIMEOUT_MS,
    cwd: '/',
  }).then(
    ({ stdout }) => ok(name, `Docker engine ${stdout.trim()}`),
    (error: unknown) =>
      warn(name, reason(error), 'Install docker, and set STOWAGE_BUILDKIT_HOST to the address of an engine.'),
  );
}

type Problem = [found: string, advice: string];

async function namespacesProblem(): Promise<Problem | null> {
  const parts = ['--mount', '--pid', '--fork', '--net', '--ipc', '--uts', '--cgroup', 'true'];
  return await run('unshare', parts, { timeout: TIMEOUT_MS }).then(
    () => null,
    (error: unknown) => [`no namespaces: ${reason(error)}`, 'Run the worker where it may make namespaces.'],
  );
}

async function limitsProblem(): Promise<Problem | null> {
  try {
    const group = await ControlGroup.make({ memoryBytes: 2 ** 24, processes: 16 }, true);
    await group.remove();
    return null;
  } catch (error) {
    return [`no control groups: ${reason(error)}`, 'Run the worker where it may write below /sys/fs/cgroup.'];
  }
}

async function profileProblem(): Promise<Problem | null> {
  return await access(SYSTEM_CALL_PROFILE).then(
    () => null,
    () => [`${SYSTEM_CALL_PROFILE} is not there`, 'Install golang-github-containers-common.'],
  );
}

/** Hermetic builds do without. */
async function outboundNetwork(): Promise<CheckResult> {
  const name = 'network of builds';
  const path = await find('slirp4netns');
  if (path !== null) return ok(name, `slirp4netns at ${path}`);
  return warn(
    name,
    'slirp4netns is not installed',
    'Install slirp4netns; without it only hermetic builds work.',
  );
}
