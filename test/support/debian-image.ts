import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const SUITE = 'bookworm';
/** What the applications of the tests are built with. */
const PACKAGES = ['ca-certificates', 'golang-go', 'nodejs', 'npm', 'python3-pip', 'python3-venv'];
const LEFT_OUT = ['doc', 'man', 'locale', 'info'];
/** 2026-01-01: the same packages give the same image. */
const TIME = 1_767_225_600;
const VERSION = 1;

/**
 * A base image made of Debian packages alone, as an OCI layout that is kept outside of the repository: made once, in two or
 * three minutes, of what the machine's own apt gives. Needs root, mmdebstrap and buildah. Returns its directory; its one
 * image has the tag `base`.
 */
export function debianImage(): string {
  const cache = process.env.STOWAGE_TEST_CACHE ?? join(homedir(), '.cache', 'stowage-test');
  const recipe = JSON.stringify([SUITE, PACKAGES, LEFT_OUT, TIME, VERSION, process.arch]);
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const directory = join(cache, `debian-${key}`);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'making-'));
  try {
    makeImage(aside);
    renameSync(join(aside, 'image'), directory);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return directory;
}

function makeImage(directory: string): void {
  console.log(`making the base image of ${PACKAGES.join(', ')} (once)`);
  const tar = join(directory, 'root.tar');
  const run = (command: string, args: string[], env = {}) =>
    execFileSync(command, args, {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
      encoding: 'utf8',
    }).trim();
  run(
    'mmdebstrap',
    [
      '--quiet',
      '--variant=minbase',
      `--include=${PACKAGES.join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      ...LEFT_OUT.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      SUITE,
      tar,
    ],
    { SOURCE_DATE_EPOCH: String(TIME) },
  );
  const storage = [`--root=${join(directory, 'storage')}`, `--runroot=${join(directory, 'run')}`];
  const buildah = (...args: string[]) => run('buildah', [...storage, '--storage-driver=vfs', ...args]);
  const container = buildah('from', 'scratch');
  buildah('add', '--quiet', container, tar, '/');
  buildah('config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container);
  const image = buildah('commit', '--quiet', `--timestamp=${TIME}`, '--rm', container);
  buildah('push', '--quiet', '--compression-level=1', image, `oci:${join(directory, 'image')}:base`);
}
