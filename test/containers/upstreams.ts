import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUSYBOX, busybox } from '../support/build-stack.ts';
import { type RepositoryFile, TestRepository } from '../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { manySdists, type PythonIndex, requirementsOf, startPythonIndex } from '../support/python-index.ts';
import type { Random } from './random.ts';

/** What the jobs of the load are made of: two registries that take their time, and projects that need files of them. */
export class Upstreams {
  readonly #npm: NpmRegistry;
  readonly #python: PythonIndex;
  readonly #repositories: TestRepository[] = [];

  private constructor(npm: NpmRegistry, python: PythonIndex) {
    this.#npm = npm;
    this.#python = python;
  }

  static async start(): Promise<Upstreams> {
    const [npm, python] = await Promise.all([
      startNpmRegistry(manyPackages(120), { latency: 40 }),
      startPythonIndex(manySdists(12, 20_000), { latency: 40 }),
    ]);
    return new Upstreams(npm, python);
  }

  /** For workers. */
  get environment(): Record<string, string> {
    return {
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
      STOWAGE_NPM_REGISTRY: this.#npm.url,
      STOWAGE_PYPI_INDEX: this.#python.url,
    };
  }

  /** A repository whose commit needs some of the packages. */
  repository(managers: readonly ('npm' | 'pip')[], random: Random): TestRepository {
    const files: Record<string, RepositoryFile> = { 'README.md': `Project ${this.#repositories.length}.\n` };
    if (managers.includes('npm')) Object.assign(files, this.npmProject(random));
    if (managers.includes('pip')) {
      files['setup.cfg'] = '[metadata]\nname = app\nversion = 1.0\n';
      files['requirements.txt'] = requirementsOf(random.shuffled(this.#python.files).slice(0, 4));
    }
    const repository = new TestRepository(files);
    this.#repositories.push(repository);
    return repository;
  }

  /** The files of an application. */
  npmProject(random: Random): Record<string, string> {
    const packages = random.shuffled(this.#npm.packages).slice(0, 25);
    return {
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf({ packages }, null),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#npm.close(), this.#python.close()]);
    for (const { path } of this.#repositories) rmSync(path, { recursive: true, force: true });
  }
}

/** A tar archive of these files. */
export function archiveOf(files: Record<string, string>): Buffer {
  return archived((directory) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  });
}

/** A build context whose image takes a second or two. */
export function contextOf(name: string): Buffer {
  return archived((directory) => {
    copyFileSync(busybox(), join(directory, 'busybox'));
    chmodSync(join(directory, 'busybox'), 0o755);
    writeFileSync(
      join(directory, 'Dockerfile'),
      `${BUSYBOX}\nRUN echo ${name} > /name; sleep 1\nCMD ["cat", "/name"]\n`,
    );
  });
}

function archived(fill: (directory: string) => void): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-archived-'));
  try {
    fill(directory);
    return execFileSync('tar', ['-C', directory, '-c', '.'], { maxBuffer: 2 ** 28 });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
