import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import type { BlobStore } from '../../src/domain/storage/blob-store.ts';
import { DatabaseGitTrees } from '../../src/workers/git/database-git-trees.ts';

/** Real git with an empty cache, which finds repositories of this machine behind URLs: `{ url: path }`. */
export function remoteGitTrees(
  database: Database,
  blobs: BlobStore,
  repositories: Readonly<Record<string, string>>,
): DatabaseGitTrees {
  const root = mkdtempSync(join(tmpdir(), 'stowage-git-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const gitConfig = join(root, 'gitconfig');
  const rules = Object.entries(repositories).map(
    ([url, path]) => `[url "file://${path}"]\n\tinsteadOf = ${url}\n`,
  );
  writeFileSync(gitConfig, rules.join(''));
  return new DatabaseGitTrees({
    sql: database.sql,
    blobs,
    settings: readSettings({ STOWAGE_DATA_DIR: join(root, 'data'), STOWAGE_GIT_CONFIG: gitConfig }),
    log: { debug: () => {}, info: () => {}, warn: () => {} },
    signal: new AbortController().signal,
    retryDelays: [1, 1],
  });
}
