import { GoModError } from '../../../domain/errors.ts';
import type { GoConfiguration } from './go-configuration.ts';
import { mainModules, type RequestedModule } from './source-modules.ts';

/** GOTOOLCHAIN: whether the go command may become another version. */
export type ToolchainChoice = 'local' | 'auto';

/**
 * The installed go when it is new enough, else whatever go.mod asks for, if that may be fetched (prefetch.md 2.3). The
 * `toolchain` line only recommends and does not count. Throws GoModError.
 */
export function chooseToolchain(
  modules: readonly RequestedModule[],
  go: GoConfiguration,
  mayChange: boolean,
): ToolchainChoice {
  const files = modules.flatMap((module) => [
    ...mainModules(module).map(({ goMod }) => goMod),
    ...(module.workspace ? [module.workspace.goWork] : []),
  ]);
  const newer = files.find((file) => file.go !== null && isOlderGo(go.version, file.go));
  if (go.toolchainDownloads) return newer || mayChange ? 'auto' : 'local';
  if (!newer) return 'local';
  throw toolchainError(
    newer.go!,
    `Go ${go.version} is installed on the worker, and fetching another toolchain is not allowed (STOWAGE_GO_TOOLCHAIN_DOWNLOADS, GOTOOLCHAIN).`,
    { installed: go.version, required: newer.go },
  );
}

/** The newest version that the module, or the workspace around it, asks for; null when no file tells. */
export function requiredGo(module: RequestedModule): string | null {
  const files = [...mainModules(module).map(({ goMod }) => goMod), module.workspace?.goWork];
  return files.reduce<string | null>((newest, file) => {
    const own = file?.go ?? null;
    return own !== null && (newest === null || isOlderGo(newest, own)) ? own : newest;
  }, null);
}

/** The module that needs the newest go: the toolchain for it must exist. */
export function mostDemanding(modules: readonly RequestedModule[]): RequestedModule {
  return modules.reduce((most, module) =>
    isOlderGo(requiredGo(most) ?? '', requiredGo(module) ?? '') ? module : most,
  );
}

export function toolchainError(required: string, hint: string, details: Record<string, unknown>): GoModError {
  return new GoModError(
    'package-manager-failed',
    `Required/recommended Go toolchain version '${required}' is not supported yet.`,
    { hint, details },
  );
}

/** Compares versions like `1.17`, `1.21.0`, `1.22rc1`. A language version is older than its release candidates. */
export function isOlderGo(a: string, b: string): boolean {
  const [left, right] = [parts(a), parts(b)];
  for (const [index, part] of left.entries()) {
    if (part !== right[index]) return part < right[index]!;
  }
  return false;
}

const KINDS = ['', 'beta', 'rc', 'final'];

/** major, minor, kind of release, number in it. */
function parts(version: string): number[] {
  const match = /^(?:go)?(\d+)\.(\d+)(?:\.(\d+)|(beta|rc)(\d+))?/.exec(version);
  if (!match) return [0, 0, 0, 0];
  const [, major, minor, patch, kind, number] = match;
  const rank = patch !== undefined ? KINDS.indexOf('final') : KINDS.indexOf(kind ?? '');
  return [Number(major), Number(minor), rank, Number(patch ?? number ?? 0)];
}
