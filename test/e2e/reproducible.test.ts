import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyFile } from '../../src/cli/verify/run.ts';
import type { BundleRequest } from '../../src/domain/bundle-requests/bundle-request.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { parseManifest } from '../../src/domain/bundles/bundle-manifest.ts';
import { contentManifestText } from '../../src/domain/bundles/content-manifest.ts';
import { Signer } from '../../src/domain/bundles/signing.ts';
import { readSettings } from '../../src/domain/config.ts';
import { openDatabase } from '../../src/domain/database/database.ts';
import { findRequest } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { type BundleRow, findBundle } from '../../src/domain/database/sql/find-bundle.ts';
import { readReportedPackages } from '../../src/domain/database/sql/read-reported-packages.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { FileBlobStore } from '../../src/domain/storage/file-blob-store.ts';
import { archiveBytes } from '../support/archive-bytes.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { TestRepository } from '../support/git-repository.ts';
import { type GoProxy, startGoProxy } from '../support/go-proxy.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { makeSdist, type PythonIndex, startPythonIndex } from '../support/python-index.ts';
import { cycloneDxErrors, spdxErrors } from '../support/sbom-rules.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** What one machine made of the request. */
interface Outcome {
  request: BundleRequest;
  bundle: BundleRow;
  archive: Buffer;
  manifest: string;
  cyclonedx: string;
  spdx: string;
  provenance: string;
  contentManifest: string;
  dataDir: string;
  environment: unknown[];
}

interface Machine {
  /** What else differs from the other machine. */
  environment: Record<string, string>;
  umask: string;
  /** The user that the worker is, where tests may choose; else whoever runs them. */
  uid?: number;
  /** Path of the repository there. */
  repository: string;
}

let registry: NpmRegistry;
let index: PythonIndex;
let proxy: GoProxy;
let gitDependency: TestRepository;
/** Leads the URL of the git dependency to where it is. */
let gitConfig: string;
/** Any number will do. */
const NOBODY = 65_534;
const GIT_URL = 'https://git.example/org/from-git.git';
let repository: TestRepository;
const directories: string[] = [];

/** A database, a data directory and a worker process of its own. The request is asked for `times` times. */
async function outcomeOn({ environment, umask, uid, repository }: Machine, times: number): Promise<Outcome> {
  const url = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), `stowage-machine-${directories.length}-`));
  directories.push(dataDir);
  if (uid !== undefined) await chown(dataDir, uid, uid);
  const settings = {
    DATABASE_URL: url,
    STOWAGE_DATA_DIR: dataDir,
    STOWAGE_NPM_REGISTRY: registry.url,
    STOWAGE_PYPI_INDEX: index.url,
    STOWAGE_GOPROXY: proxy.url,
    STOWAGE_GOSUMDB: 'off',
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file,https',
    STOWAGE_GIT_CONFIG: gitConfig,
  };
  const database = await openDatabase({ url, connections: 4 });
  const hub = new EventHub(database);
  await hub.start();
  const worker = new WorkerProcess(
    { ...settings, ...environment },
    { umask, ...(uid !== undefined && { uid }) },
  );
  try {
    let request: BundleRequest | null = null;
    for (let time = 0; time < times; time++) {
      const { id } = await submitRequest(database, readSettings(settings), SYSTEM, {
        repository,
        ref: 'main',
      });
      for await (const event of hub.subject('bundle-request', id, 0, AbortSignal.timeout(50_000))) {
        if (event.type === 'state' && event.data.state !== 'in_progress') break;
      }
      request = await findRequest(database.sql, id);
      expect(request, worker.output).toMatchObject({ state: 'complete', error: null });
    }
    const blobs = new FileBlobStore(join(dataDir, 'blobs'));
    const text = async (digest: BundleRequest['spdxDigest']): Promise<string> =>
      (await blobs.readWhole(digest!)).toString();
    return {
      request: request!,
      bundle: (await findBundle(database.sql, request!.bundleDigest!))!,
      archive: await archiveBytes(database, blobs, request!.bundleDigest!),
      manifest: await text(request!.bundleDigest),
      cyclonedx: await text(request!.cyclonedxDigest),
      spdx: await text(request!.spdxDigest),
      provenance: await text(request!.provenanceDigest),
      contentManifest: contentManifestText([
        {
          repository,
          ref: request!.commit!,
          packages: await readReportedPackages(database.sql, request!.id),
        },
      ]),
      dataDir,
      environment: await database.sql.query(
        'select form, name, value, kind from bundle_request_environment where request_id = $1 order by id',
        [request!.id],
      ),
    };
  } finally {
    await worker.end('SIGTERM');
    await hub.close();
    await database.close();
    await dropTestDatabase(url);
  }
}

/** Root may become anybody; but a checkout below a private home is root's alone. */
function mayBeNobody(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    const program = join(import.meta.dirname, '../../bin/stowage');
    const env = { PATH: process.env.PATH };
    execFileSync(program, ['--version'], { uid: NOBODY, gid: NOBODY, env, cwd: tmpdir(), stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const sha256 = (bytes: Buffer | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

beforeAll(async () => {
  registry = await startNpmRegistry(manyPackages(40));
  index = await startPythonIndex([
    makeSdist('plain', '1.0'),
    makeSdist('dashed-name', '0.3.1', { fileNameBase: 'dashed_name' }),
    makeSdist('zipped', '3.0', { extension: '.zip' }),
  ]);
  proxy = await startGoProxy([
    { path: 'example.test/Upper', version: 'v1.2.0', require: ['example.test/low@v0.1.0'] },
    { path: 'example.test/low', version: 'v0.1.0' },
  ]);
  gitDependency = new TestRepository({
    'package.json': JSON.stringify({ name: 'from-git', version: '1.0.0', files: ['lib'] }),
    'lib/index.js': 'module.exports = 1;\n',
    'setup.py': 'from setuptools import setup\nsetup(name="from-git", version="1.0")\n',
    'not-packed.txt': 'x',
    run: { executable: '#!/bin/sh\n' },
  });
  const elsewhere = await mkdtemp(join(tmpdir(), 'stowage-git-config-'));
  directories.push(elsewhere);
  gitConfig = join(elsewhere, 'config');
  await writeFile(
    gitConfig,
    `[url "file://${gitDependency.path}"]\n\tinsteadOf = ${GIT_URL}\n[safe]\n\tdirectory = *\n`,
  );
  for (const directory of [elsewhere, gitDependency.path]) await chmod(directory, 0o755);
  const lock = JSON.parse(lockFileOf(registry, null));
  lock.packages[''].dependencies['from-git'] = `git+${GIT_URL}#${gitDependency.head}`;
  lock.packages['node_modules/from-git'] = {
    version: '1.0.0',
    resolved: `git+${GIT_URL}#${gitDependency.head}`,
  };
  repository = new TestRepository({
    'go.mod':
      'module example.test/project\n\ngo 1.20\n\nrequire example.test/Upper v1.2.0\n\nrequire example.test/low v0.1.0 // indirect\n',
    'go.sum': proxy.sums(),
    'main.go': 'package main\n\nimport upper "example.test/Upper"\n\nfunc main() { println(upper.Name()) }\n',
    'package.json': JSON.stringify({ name: 'fixture-application', version: '1.0.0' }),
    'package-lock.json': JSON.stringify(lock, null, 2),
    'requirements.txt': `plain==1.0\ndashed-name==0.3.1\nzipped==3.0\nfrom-git @ git+${GIT_URL}@${gitDependency.head}\n`,
    'setup.cfg': '[metadata]\nname = fixture\nversion = 1.0\n',
    'bin/run': { executable: '#!/bin/sh\n' },
    'links/to-run': { link: '../bin/run' },
    'İıßz/naïve.txt': 'names that sort differently in other languages',
    'z.txt': 'z',
    'Z.txt': 'Z',
    'ä.txt': 'ä',
    [`deep/${'d'.repeat(120)}/file`]: 'long',
    'data.bin': Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at) % 251)),
  });
});
afterAll(async () => {
  await registry.close();
  await index.close();
  await proxy.close();
  for (const directory of [...directories, repository.path, gitDependency.path])
    await rm(directory, { recursive: true, force: true });
});

describe('the same request on two machines', () => {
  let first: Outcome;
  let second: Outcome;

  beforeAll(async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'stowage-clone-'));
    directories.push(elsewhere);
    await chmod(elsewhere, 0o755);
    const clone = join(elsewhere, basename(repository.path));
    repository.git('clone', '--quiet', '--bare', repository.path, clone);
    [first, second] = await Promise.all([
      outcomeOn(
        { repository: repository.path, umask: '000', environment: { TZ: 'Pacific/Apia', LC_ALL: 'C' } },
        1,
      ),
      outcomeOn(
        {
          repository: clone,
          umask: '077',
          ...(mayBeNobody() && { uid: NOBODY }),
          environment: {
            TZ: 'America/St_Johns',
            LC_ALL: 'tr_TR.UTF-8',
            LANG: 'tr_TR.UTF-8',
            STOWAGE_DOWNLOAD_CONCURRENCY: '1',
            STOWAGE_WORKER_CONCURRENCY: '1',
          },
        },
        2,
      ),
    ]);
  });

  test('gives the same manifest, byte for byte', () => {
    expect(second.manifest).toBe(first.manifest);
    expect(second.bundle.manifestDigest).toBe(first.bundle.manifestDigest);
    expect(sha256(first.manifest)).toBe(first.bundle.manifestDigest);
    expect(parseManifest(first.manifest).entries.length).toBeGreaterThan(100);
  });

  test('gives the same tar and the same tar.gz, and the digests are theirs', () => {
    expect(second.archive.equals(first.archive)).toBe(true);
    const tar = gunzipSync(first.archive);
    expect(first.bundle).toMatchObject({
      tarDigest: sha256(tar),
      tarSize: tar.length,
      archiveDigest: sha256(first.archive),
      archiveSize: first.archive.length,
    });
    expect(second.bundle).toEqual(first.bundle);
  });

  test('gives the same SBOMs and the same environment', () => {
    expect(second.cyclonedx).toBe(first.cyclonedx);
    expect(second.spdx).toBe(first.spdx);
    expect(second.environment).toEqual(first.environment);
  });

  test('gives SBOMs that are valid, with a digest for every file that was fetched', () => {
    expect(cycloneDxErrors(first.cyclonedx)).toEqual([]);
    expect(spdxErrors(first.spdx)).toEqual([]);
    const { components } = JSON.parse(first.cyclonedx) as {
      components: { hashes?: unknown; evidence?: unknown }[];
    };
    expect(components.filter(({ evidence }) => evidence)).toHaveLength(
      registry.packages.length + index.files.length + proxy.modules.length + 2,
    );
  });

  test('gives provenance that names the content manifest as it is served', () => {
    const { payload } = JSON.parse(first.provenance) as { payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString());
    expect(predicate.runDetails.byproducts).toEqual([
      {
        name: 'content manifest',
        digest: { sha256: sha256(first.contentManifest).slice('sha256:'.length) },
        mediaType: 'application/json',
      },
    ]);
  });

  test.each(['cyclonedx', 'spdx'] as const)('gives what stowage verify accepts, with %s', async (sbom) => {
    const directory = await mkdtemp(join(tmpdir(), 'stowage-outputs-'));
    directories.push(directory);
    const file = (name: string): string => join(directory, name);
    await writeFile(file('bundle.tar.gz'), first.archive);
    await writeFile(file('bundle.manifest.json'), first.manifest);
    await writeFile(file('bundle.sbom.json'), first[sbom]);
    await writeFile(file('bundle.provenance.jsonl'), first.provenance);
    const { publicKey } = await Signer.open(first.dataDir);
    await writeFile(file('key.pem'), publicKey);
    const signal = new AbortController().signal;
    const report = await verifyFile(file('bundle.tar.gz'), { key: file('key.pem') }, signal, () => undefined);
    expect(report).toMatchObject({ ok: true, problems: [], provenance: { signature: 'verified' } });
  });

  test('has nothing of the machine, the time or the request in it', () => {
    const contents = [first.manifest, gunzipSync(first.archive).toString('latin1')];
    for (const text of contents) {
      for (const machine of [...directories, '127.0.0.1']) expect(text).not.toContain(machine);
    }
    for (const text of [first.cyclonedx, first.spdx]) {
      for (const path of [...directories, repository.path]) expect(text).not.toContain(path);
    }
  });
});
