import { rm } from 'node:fs/promises';
import { TestRepository } from './git-repository.ts';
import { manyModules, projectOf, startGoProxy } from './go-proxy.ts';
import { lockFileOf, manyPackages, startNpmRegistry } from './npm-registry.ts';
import { makeSdist, requirementsOf, startPythonIndex } from './python-index.ts';

/** A source for gomod, npm and pip, and the upstreams that have what it asks for. */
export interface ThreeManagers {
  repository: TestRepository;
  /** Settings that name the upstreams. */
  environment: Record<string, string>;
  close(): Promise<void>;
}

export async function startThreeManagers(): Promise<ThreeManagers> {
  const npm = await startNpmRegistry(manyPackages(20));
  const python = await startPythonIndex([makeSdist('one', '1.0'), makeSdist('two', '2.0')]);
  const go = await startGoProxy(manyModules(3));
  const repository = new TestRepository({
    ...projectOf(go.modules),
    'package.json': JSON.stringify({ name: 'bench', version: '1.0.0' }),
    'package-lock.json': lockFileOf(npm, null),
    'setup.cfg': '[metadata]\nname = app\nversion = 1.0\n',
    'requirements.txt': requirementsOf(python.files),
  });
  return {
    repository,
    environment: {
      STOWAGE_NPM_REGISTRY: npm.url,
      STOWAGE_PYPI_INDEX: python.url,
      STOWAGE_GOPROXY: go.url,
      STOWAGE_GOSUMDB: 'off',
    },
    async close() {
      await Promise.all([npm.close(), python.close(), go.close()]);
      await rm(repository.path, { recursive: true, force: true });
    },
  };
}
