import { join } from 'node:path';
import { type DomainError, GoModError, NetworkError } from '../../../domain/errors.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { GoFailure, runGo } from './go-command.ts';
import type { GoEnvironment } from './go-environment.ts';
import { type ListedPackage, PACKAGE_FIELDS, PackageGraph } from './listed-packages.ts';
import { assertHash } from './module-files.ts';
import type { ModuleVersion } from './module-path.ts';
import type { ModuleProxy } from './module-proxy.ts';
import type { RequestedModule } from './source-modules.ts';
import { requiredGo, toolchainError } from './toolchain.ts';

/** With the hashes that go has checked, against go.sum or the checksum database. */
export interface DownloadedModule extends ModuleVersion {
  zipSum: string | undefined;
  modSum: string | undefined;
}

/** What `go mod download -json` tells of a module. */
interface DownloadDocument {
  Path: string;
  Version?: string;
  Error?: string;
  Sum?: string;
  GoModSum?: string;
}

/** The go commands of a resolution, run on a copy of the source. */
export class GoSession {
  /** The copy. */
  readonly sourceDirectory: string;
  readonly #context: ResolveContext;
  readonly #environment: GoEnvironment;
  readonly #proxy: ModuleProxy;

  constructor(
    context: ResolveContext,
    sourceDirectory: string,
    environment: GoEnvironment,
    proxy: ModuleProxy,
  ) {
    this.sourceDirectory = sourceDirectory;
    this.#context = context;
    this.#environment = environment;
    this.#proxy = proxy;
  }

  directoryOf({ directory }: { directory: string }): string {
    return join(this.sourceDirectory, directory);
  }

  /** Fetches and unpacks; the modules, as they are after replacements. */
  async download(module: RequestedModule): Promise<DownloadedModule[]> {
    const downloaded: DownloadedModule[] = [];
    const failures: string[] = [];
    await this.run(module, ['mod', 'download', '-json'], (document) => {
      const { Path, Version, Error: error, Sum, GoModSum } = document as DownloadDocument;
      if (error) failures.push(`${Path}@${Version}: ${error}`);
      else if (Version !== undefined)
        downloaded.push({ path: Path, version: Version, zipSum: Sum, modSum: GoModSum });
    }).catch((error: unknown) => {
      if (!(error instanceof GoFailure)) throw error;
      for (const failure of failures) this.#context.log.warn(`go: ${failure}`);
      throw downloadFailure(error, 'go mod download -json', failures[0]);
    });
    return downloaded;
  }

  /** Of the toolchain that go has chosen for the module. */
  async version(module: RequestedModule): Promise<string> {
    let version = '';
    await this.run(module, ['env', '-json', 'GOVERSION'], (document) => {
      version = (document as { GOVERSION: string }).GOVERSION.replace(/^go/, '');
    }).catch((error: unknown) => {
      const isUnavailable = error instanceof NetworkError && !error.retryable;
      if (!isUnavailable && !(error instanceof GoFailure)) throw error;
      throw toolchainError(requiredGo(module) ?? '', error.hint ?? error.message, error.details);
    });
    return version;
  }

  /** All packages that are needed to build and test the main modules. */
  async listPackages(module: RequestedModule, mode: 'readonly' | 'vendor'): Promise<PackageGraph> {
    const graph = new PackageGraph();
    const args = ['list', '-e', `-mod=${mode}`, '-buildvcs=false', '-deps', `-json=${PACKAGE_FIELDS}`, 'all'];
    await this.run(module, args, (document) => {
      graph.add(document as ListedPackage);
    });
    return graph;
  }

  async run(
    module: RequestedModule,
    args: readonly string[],
    onDocument?: (document: unknown) => void,
  ): Promise<void> {
    const { signal, settings, log } = this.#context;
    log.info(`gomod: go ${args.join(' ')} (${module.directory})`);
    try {
      await runGo({
        args,
        directory: this.directoryOf(module),
        environment: { ...this.#environment.variables, GOWORK: this.#goWork(module) },
        signal,
        seconds: settings.limits.commandSeconds,
        ...(onDocument ? { onDocument } : {}),
      });
    } catch (error) {
      if (error instanceof GoFailure) {
        // What the proxy met says more than what go made of it.
        if (this.#proxy.failure) throw this.#proxy.failure;
        for (const line of error.hint?.split('\n').filter(Boolean) ?? []) log.warn(`go: ${line}`);
        assertNoMismatch(error.stderr);
      }
      throw error;
    }
  }

  /** Never one outside of the source, and never the worker's. */
  #goWork({ workspace }: RequestedModule): string {
    return workspace ? join(this.sourceDirectory, workspace.directory, 'go.work') : 'off';
  }
}

/** What go says of a file that it has fetched itself, in the words for every checksum. Throws InvalidChecksum. */
function assertNoMismatch(stderr: string): void {
  const match = /verifying (\S+): checksum mismatch\n\tdownloaded: +(h1:\S+)\n\t[^\s:]+: +(h1:\S+)/.exec(
    stderr,
  );
  if (!match) return;
  const [, file, actual, expected] = match as unknown as [string, string, string, string];
  const name = file.endsWith('/go.mod') ? file.replace(/\/go\.mod$/, '.mod') : `${file}.zip`;
  assertHash(name, expected, actual);
}

/** The contract's text for a download that failed for good; the scheduler tried every file as often. */
export function downloadFailure(error: DomainError, command: string, failure?: string): GoModError {
  return new GoModError(
    'package-manager-failed',
    `Go execution failed: Cachito re-tried running \`${command}\` command 5 times.`,
    { cause: error, details: error.details, hint: failure ?? error.hint ?? error.message },
  );
}
