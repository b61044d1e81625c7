import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { TestRepository } from '../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { ownEnvironment } from '../support/stowage-command.ts';

const STOWAGE = join(import.meta.dirname, '../../bin/stowage');

/** Issue 3: what `stowage prefetch` leaves on disk is what `stowage verify` checks, offline. */
describe('stowage prefetch, then stowage verify', () => {
  let registry: NpmRegistry;
  let repository: TestRepository;
  let directory: string;
  let url: string;

  const stowage = (...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const env = {
        ...ownEnvironment(),
        DATABASE_URL: url,
        STOWAGE_DATA_DIR: join(directory, 'data'),
        STOWAGE_NPM_REGISTRY: registry.url,
      };
      execFile(STOWAGE, args, { env, cwd: directory }, (error, stdout, stderr) =>
        resolve({ exitCode: (error?.code as number | undefined) ?? 0, stdout, stderr }),
      );
    });

  beforeAll(async () => {
    url = await createTestDatabase();
    directory = await mkdtemp(join(tmpdir(), 'stowage-prefetch-verify-'));
    registry = await startNpmRegistry(manyPackages(12));
    repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'fixture-application', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
    });
    const made = await stowage('prefetch', repository.path, '--output', join(directory, 'bundle.tar.gz'));
    expect(made).toMatchObject({ exitCode: 0 });
  });
  afterAll(async () => {
    await registry.close();
    await dropTestDatabase(url);
    await rm(directory, { recursive: true, force: true });
    await rm(repository.path, { recursive: true, force: true });
  });

  test('everything lies beside the bundle, and nothing else', async () => {
    expect((await readdir(directory)).sort()).toEqual([
      'bundle.manifest.json',
      'bundle.provenance.jsonl',
      'bundle.sbom.json',
      'bundle.tar.gz',
      'data',
      'stowage.env',
    ]);
  });

  test('the bundle is what its manifest, SBOM and signed provenance say', async () => {
    const { exitCode, stdout } = await stowage('verify', '--json', 'bundle.tar.gz');
    expect(exitCode).toBe(0);
    const archive = await readFile(join(directory, 'bundle.tar.gz'));
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      archive: {
        digest: `sha256:${createHash('sha256').update(archive).digest('hex')}`,
        size: archive.length,
      },
      sbom: { format: 'CycloneDX 1.6', components: registry.packages.length + 1 },
      provenance: { signature: 'verified' },
      problems: [],
    });
  });

  test('the provenance names the source, every file and the content manifest', async () => {
    const envelope = JSON.parse(await readFile(join(directory, 'bundle.provenance.jsonl'), 'utf8'));
    const { predicate } = JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
    const { resolvedDependencies, externalParameters } = predicate.buildDefinition;
    expect(Object.keys(externalParameters)).toEqual([
      'repository',
      'ref',
      'packages',
      'flags',
      'dependency_replacements',
    ]);
    expect(resolvedDependencies[0]).toMatchObject({ name: 'source', digest: { gitCommit: repository.head } });
    const digests = new Set(
      resolvedDependencies.map((one: { digest: { sha256?: string } }) => one.digest.sha256),
    );
    for (const { sha256 } of registry.packages) expect(digests).toContain(sha256);
    expect(predicate.runDetails.byproducts).toMatchObject([{ name: 'content manifest' }]);
  });
});
