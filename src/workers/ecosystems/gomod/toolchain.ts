import { GoModError } from '../../../domain/errors.ts';
import type { GoConfiguration } from './go-configuration.ts';
import { mainModules, type RequestedModule } from './source-modules.ts';

/** Throws GoModError when the installed go is too old for a go.mod and may not fetch a newer one (prefetch.md 2.3). */
export function assertToolchain(modules: readonly RequestedModule[], go: GoConfiguration): void {
  if (go.toolchainDownloads) return;
  for (const module of modules) {
    const files = [
      ...mainModules(module).map(({ goMod }) => goMod),
      ...(module.workspace ? [module.workspace.goWork] : []),
    ];
    for (const file of files) {
      // The toolchain line is a recommendation: only the go line binds.
      if (file.go === null || !isOlderGo(go.version, file.go)) continue;
      throw new GoModError(
        'package-manager-failed',
        `Required/recommended Go toolchain version '${file.go}' is not supported yet.`,
        {
          hint: `Go ${go.version} is installed on the worker, and fetching another toolchain is not allowed (STOWAGE_GO_TOOLCHAIN_DOWNLOADS, GOTOOLCHAIN).`,
          details: { installed: go.version, required: file.go },
        },
      );
    }
  }
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
