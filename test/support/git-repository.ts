import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type RepositoryFile = string | Buffer | { link: string } | { executable: string };

const ENVIRONMENT = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@git.example',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@git.example',
  GIT_AUTHOR_DATE: '2024-05-06T07:08:09Z',
  GIT_COMMITTER_DATE: '2024-05-06T07:08:09Z',
};

/** A git repository in a directory of its own, with a work tree, for use as a remote by path. */
export class TestRepository {
  readonly path: string;

  constructor(files: Record<string, RepositoryFile> = {}) {
    this.path = mkdtempSync(join(tmpdir(), 'stowage-repository-'));
    this.git('init', '--quiet', '-b', 'main');
    if (Object.keys(files).length > 0) this.commit(files);
  }

  /** Adds and changes files; returns the commit's id. The same files give the same id. */
  commit(files: Record<string, RepositoryFile>, message = 'change'): string {
    for (const [name, content] of Object.entries(files)) this.#write(name, content);
    this.git('add', '--all', '--force');
    this.git('commit', '--quiet', '--allow-empty', '-m', message);
    return this.head;
  }

  get head(): string {
    return this.git('rev-parse', 'HEAD').trim();
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.path, env: ENVIRONMENT, encoding: 'utf8' });
  }

  #write(name: string, content: RepositoryFile): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof content === 'object' && 'link' in content) symlinkSync(content.link, path);
    else if (typeof content === 'object' && 'executable' in content) {
      writeFileSync(path, content.executable);
      chmodSync(path, 0o755);
    } else writeFileSync(path, content);
  }
}
