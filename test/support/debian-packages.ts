import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const SUITE = 'bookworm';
const LEFT_OUT = ['doc', 'man', 'locale', 'info'];
/** 2026-01-01: the same packages give the same files. */
export const PACKAGES_TIME = 1_767_225_600;
const VERSION = 1;

/**
 * A directory made of Debian packages, kept outside of the repository: made once, in minutes, of what the machine's own
 * apt gives. Needs root and mmdebstrap.
 *
 * @param make fills `directory` from the archive of a root file system with the packages, which it may move or change
 */
export function keptOfPackages(
  name: string,
  packages: readonly string[],
  make: (tar: string, directory: string) => void,
): string {
  const cache = process.env.STOWAGE_TEST_CACHE ?? join(homedir(), '.cache', 'stowage-test');
  const recipe = JSON.stringify([SUITE, packages, LEFT_OUT, PACKAGES_TIME, VERSION, process.arch]);
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const kept = join(cache, `${name}-${key}`);
  if (existsSync(kept)) return kept;
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'making-'));
  try {
    console.log(`making ${name} of the packages ${packages.join(', ')} (once)`);
    const tar = join(aside, 'root.tar');
    bootstrap(tar, packages);
    const directory = join(aside, name);
    mkdirSync(directory);
    make(tar, directory);
    renameSync(directory, kept);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return kept;
}

function bootstrap(tar: string, packages: readonly string[]): void {
  const options = [
    ...['--quiet', '--variant=minbase', `--include=${packages.join(',')}`],
    '--aptopt=APT::Install-Recommends "false"',
    ...LEFT_OUT.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  ];
  execFileSync('mmdebstrap', [...options, SUITE, tar], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(PACKAGES_TIME) },
  });
}
