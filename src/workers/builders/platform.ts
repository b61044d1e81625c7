import { BuildFailure } from '../../domain/images/build-failure.ts';

export interface Platform {
  os: string;
  architecture: string;
  variant: string | null;
}

/** `os/architecture[/variant]`; null: of this machine. Throws BuildFailure `source-invalid`. */
export function parsePlatform(text: string | null): Platform {
  if (text === null) return MACHINE;
  const [os = '', architecture = '', variant = null, ...rest] = text.split('/');
  if (rest.length === 0 && [os, architecture, variant ?? 'v'].every((part) => /^[a-z0-9]+$/.test(part))) {
    return { os, architecture, variant };
  }
  throw new BuildFailure('source-invalid', `"${text}" is not a platform like linux/amd64`);
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === null ? [] : [variant])].join('/');
}

export function matchesPlatform(
  candidate: { os: string | null; architecture: string | null; variant?: string | null },
  { os, architecture, variant }: Platform,
): boolean {
  return (
    candidate.os === os &&
    candidate.architecture === architecture &&
    (variant === null || candidate.variant === variant)
  );
}

/** What a Dockerfile may use in FROM. */
export function platformVariables(target: Platform): Record<string, string> {
  return { ...variables('TARGET', target), ...variables('BUILD', MACHINE) };
}

function variables(prefix: string, platform: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: platformText(platform),
    [`${prefix}OS`]: platform.os,
    [`${prefix}ARCH`]: platform.architecture,
    [`${prefix}VARIANT`]: platform.variant ?? '',
  };
}

/** Names that differ between Node and OCI. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' };
const MACHINE: Platform = {
  os: 'linux',
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
  variant: null,
};
