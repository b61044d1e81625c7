import { runInNewContext } from 'node:vm';
import { ValidationError } from '../../../domain/errors.ts';
import type { WheelSelection } from '../../../domain/packages/package.ts';
import { canonicalName } from '../../../domain/packages/python-project-name.ts';
import type { Wheel } from './file-name.ts';
import type { MarkerEnvironment } from './marker.ts';

/** What wheels are asked for (prefetch.md 5.2): every combination of the lists is a target. */
export interface WheelTargets {
  /** Whether wheels are wanted of a project, and whether sdists stay wanted beside them. */
  wanted(project: string): { wheels: boolean; sdist: boolean };
  accepts(wheel: Wheel): boolean;
  /** What each target knows of marker variables. */
  environments: MarkerEnvironment[];
}

const DEFAULTS = { packages: ':all:', arch: 'x86_64', os: 'linux', pyImpl: 'cp' };
const MAX_PATTERN = 200;
const PATTERN_MILLISECONDS = 200;

/** Names of one machine in platform tags, by any of its names. */
const MACHINES: Record<string, string[]> = {
  x86_64: ['x86_64', 'amd64', 'universal2', 'intel'],
  amd64: ['x86_64', 'amd64', 'universal2', 'intel'],
  aarch64: ['aarch64', 'arm64', 'universal2'],
  arm64: ['aarch64', 'arm64', 'universal2'],
  i686: ['i686', 'win32'],
};

const SYSTEMS: Record<string, { tag: RegExp; marker: MarkerEnvironment }> = {
  linux: {
    tag: /^(linux|manylinux[0-9_]*|musllinux[0-9_]*)_/,
    marker: { sys_platform: 'linux', platform_system: 'Linux', os_name: 'posix' },
  },
  darwin: {
    tag: /^macosx_/,
    marker: { sys_platform: 'darwin', platform_system: 'Darwin', os_name: 'posix' },
  },
  windows: {
    tag: /^win/,
    marker: { sys_platform: 'win32', platform_system: 'Windows', os_name: 'nt' },
  },
};
const SYSTEM_NAMES: Record<string, string> = {
  macos: 'darwin',
  macosx: 'darwin',
  win: 'windows',
  win32: 'windows',
};

const IMPLEMENTATIONS: Record<string, MarkerEnvironment> = {
  cp: { platform_python_implementation: 'CPython', implementation_name: 'cpython' },
  pp: { platform_python_implementation: 'PyPy', implementation_name: 'pypy' },
};

/** Throws ValidationError for values that mean nothing. */
export function wheelTargets(selection: WheelSelection): WheelTargets {
  const packages = words(selection.packages ?? DEFAULTS.packages);
  const all = packages.includes(':all:');
  const named = new Set(packages.map(canonicalName));
  const versions = words(selection.pyVersion ?? '').map(pythonVersion);
  const implementations = words(selection.pyImpl ?? DEFAULTS.pyImpl);
  const abis = words(selection.abi ?? '');
  const isPlatform = platformFilter(selection);
  return {
    wanted: (project) =>
      all
        ? { wheels: true, sdist: true }
        : { wheels: named.has(canonicalName(project)), sdist: !named.has(canonicalName(project)) },
    accepts: (wheel) =>
      isPlatform(wheel.platform) &&
      (abis.length === 0 || wheel.abi.some((abi) => abi === 'none' || abis.includes(abi))) &&
      wheel.python.some((tag) => runsOn(tag, wheel.abi, versions, implementations)),
    environments: targetEnvironments(selection, versions, implementations),
  };
}

interface PythonVersion {
  major: number;
  /** Null: any. */
  minor: number | null;
}

/** `3.12`, `312`, `cp312` or `3`. */
function pythonVersion(text: string): PythonVersion {
  const match = /^(?:cp|py)?(\d)(?:\.?(\d{1,2}))?(?:\.\d+)?$/.exec(text);
  if (!match) throw invalid('py_version', text);
  return { major: Number(match[1]), minor: match[2] === undefined ? null : Number(match[2]) };
}

/** Tags as PEP 425 has them: a newer Python takes older pure wheels and older wheels of the stable ABI. */
function runsOn(
  tag: string,
  abis: readonly string[],
  versions: readonly PythonVersion[],
  implementations: readonly string[],
): boolean {
  const match = /^([a-z]+)(\d)?(\d*)$/.exec(tag);
  if (!match) return false;
  const [, implementation, major, minor] = match;
  if (implementation !== 'py' && !implementations.includes(implementation!)) return false;
  if (versions.length === 0 || major === undefined) return true;
  return versions.some((version) => {
    if (version.major !== Number(major)) return false;
    if (version.minor === null || minor === '') return true;
    const takesOlder = implementation === 'py' || abis.includes('abi3') || abis.includes('none');
    return takesOlder ? Number(minor) <= version.minor : Number(minor) === version.minor;
  });
}

function platformFilter(selection: WheelSelection): (tags: readonly string[]) => boolean {
  if (selection.platform !== undefined) return patternFilter(selection.platform);
  const systems = words(selection.os ?? DEFAULTS.os).map(systemOf);
  const machines = words(selection.arch ?? DEFAULTS.arch).flatMap((arch) => MACHINES[arch] ?? [arch]);
  return (tags) =>
    tags.some(
      (tag) =>
        tag === 'any' ||
        (systems.some((system) => SYSTEMS[system]!.tag.test(tag)) &&
          machines.some((machine) => tag === machine || tag.endsWith(`_${machine}`))),
    );
}

/** A pattern of a user may take for ever: it is tried under a time limit. */
function patternFilter(pattern: string): (tags: readonly string[]) => boolean {
  if (pattern.length > MAX_PATTERN) throw invalid('platform', pattern.slice(0, MAX_PATTERN));
  try {
    new RegExp(pattern);
  } catch {
    throw invalid('platform', pattern);
  }
  const known = new Map<string, boolean>([['any', true]]);
  const matches = (tag: string): boolean => {
    try {
      return runInNewContext(
        'new RegExp(pattern).test(tag)',
        { pattern, tag },
        { timeout: PATTERN_MILLISECONDS },
      ) as boolean;
    } catch {
      throw invalid('platform', pattern);
    }
  };
  return (tags) =>
    tags.some((tag) => {
      const answer = known.get(tag) ?? matches(tag);
      known.set(tag, answer);
      return answer;
    });
}

function targetEnvironments(
  selection: WheelSelection,
  versions: readonly PythonVersion[],
  implementations: readonly string[],
): MarkerEnvironment[] {
  const platforms: MarkerEnvironment[] =
    selection.platform === undefined
      ? words(selection.os ?? DEFAULTS.os).flatMap((os) =>
          words(selection.arch ?? DEFAULTS.arch).map((arch) => ({
            ...SYSTEMS[systemOf(os)]!.marker,
            platform_machine: machineName(systemOf(os), arch),
          })),
        )
      : [{}];
  const pythons: MarkerEnvironment[] =
    versions.length === 0
      ? [{}]
      : versions.map(({ major, minor }) => (minor === null ? {} : { python_version: `${major}.${minor}` }));
  const kinds = implementations.map((implementation) => IMPLEMENTATIONS[implementation] ?? {});
  return platforms.flatMap((platform) =>
    pythons.flatMap((python) => kinds.map((kind) => ({ ...platform, ...python, ...kind }))),
  );
}

/** What `platform.machine()` says there. */
function machineName(system: string, arch: string): string {
  if (arch === 'aarch64' || arch === 'arm64') return system === 'linux' ? 'aarch64' : 'arm64';
  if (arch === 'x86_64' || arch === 'amd64') return system === 'windows' ? 'AMD64' : 'x86_64';
  return arch;
}

function systemOf(os: string): string {
  const system = SYSTEM_NAMES[os] ?? os;
  if (!Object.hasOwn(SYSTEMS, system)) throw invalid('os', os);
  return system;
}

function words(list: string): string[] {
  return list.split(/[\s,]+/).filter(Boolean);
}

function invalid(field: string, value: string): ValidationError {
  return new ValidationError('invalid-input', `The wheel filter ${field} has an invalid value: ${value}`);
}
