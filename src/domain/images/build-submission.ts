import { validateRef, validateRepository } from '../bundle-requests/native-rules/submission.ts';
import type { Settings } from '../config.ts';
import { InvalidInputError } from '../errors.ts';
import { packagePath } from '../packages/package-path.ts';
import { requireStorable } from '../storable-text.ts';
import type { BuildOptions } from './image-build.ts';

/** What to build, and how. Exactly one of `uploadId`, `repository` and `requestId`. */
export interface BuildSubmission {
  uploadId?: number | null | undefined;
  repository?: string | null | undefined;
  /** Of a repository: commit, branch or tag; null: the remote's HEAD. */
  ref?: string | null | undefined;
  /** A complete bundle request. */
  requestId?: number | null | undefined;
  /** Path in the source; default `Dockerfile`. */
  dockerfile?: string | null | undefined;
  /** Stage to end at; default the last one. */
  target?: string | null | undefined;
  buildArguments?: Readonly<Record<string, string>> | null | undefined;
  /** Mounted for steps that ask for them; kept until the build ends. */
  secrets?: Readonly<Record<string, string>> | null | undefined;
  labels?: Readonly<Record<string, string>> | null | undefined;
  platform?: string | null | undefined;
  /** Default true. */
  useCache?: boolean | null | undefined;
  /** Whether steps have a network: default true, but false for a bundle. */
  network?: boolean | null | undefined;
  timeoutSeconds?: number | null | undefined;
  memoryBytes?: number | null | undefined;
  processes?: number | null | undefined;
}

export interface BuildSource {
  uploadId: number | null;
  repository: string | null;
  requestedRef: string | null;
  requestId: number | null;
}

export interface ValidBuild {
  source: BuildSource;
  options: BuildOptions;
  secrets: Readonly<Record<string, string>>;
}

type BuildBounds = Pick<
  Settings,
  'gitAllowedProtocols' | 'buildSeconds' | 'buildMemoryBytes' | 'buildProcesses'
>;

/** Throws InvalidInputError. */
export function validBuild(submission: BuildSubmission, settings: Settings): ValidBuild {
  requireStorable(submission);
  const source = validSource(submission, settings);
  const secrets = validSecrets(submission.secrets ?? {});
  return {
    source,
    secrets,
    options: {
      dockerfile: validDockerfile(submission.dockerfile ?? 'Dockerfile'),
      target: validTarget(submission.target ?? null),
      buildArguments: validArguments(submission.buildArguments ?? {}),
      labels: validLabels(submission.labels ?? {}),
      platform: validPlatform(submission.platform ?? null),
      useCache: submission.useCache ?? true,
      isHermetic: !(submission.network ?? source.requestId === null),
      ...validLimits(submission, settings),
      secretIds: Object.keys(secrets).sort(),
    },
  };
}

function validSource(
  { uploadId = null, repository = null, ref = null, requestId = null }: BuildSubmission,
  settings: Settings,
): BuildSource {
  if ([uploadId, repository, requestId].filter((one) => one !== null).length !== 1) {
    throw new InvalidInputError('Give one of an upload, a repository and a bundle request');
  }
  if (repository !== null) validateRepository(repository, settings);
  if (ref !== null && repository === null) throw new InvalidInputError('Only a repository has a ref');
  if (ref !== null) validateRef(ref);
  return { uploadId, repository, requestedRef: ref, requestId };
}

/** Throws InvalidInputError. */
export function validDockerfile(path: string): string {
  const normal = packagePath(path);
  if (normal === null || normal === '.' || normal === '') {
    throw new InvalidInputError(
      `"${path.slice(0, 60)}" must be the relative path of a Dockerfile in the source`,
    );
  }
  return normal;
}

function validTarget(target: string | null): string | null {
  if (target !== null && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(target)) {
    throw new InvalidInputError(`"${target.slice(0, 60)}" cannot be the name of a stage`);
  }
  return target;
}

const MOST_ENTRIES = 200;
const LONGEST_VALUE = 64 * 1024;

function validEntries(
  entries: Readonly<Record<string, string>>,
  { kind, name }: { kind: string; name: RegExp },
): Record<string, string> {
  const list = Object.entries(entries);
  if (list.length > MOST_ENTRIES) throw new InvalidInputError(`There are more than ${MOST_ENTRIES} ${kind}s`);
  for (const [key, value] of list) {
    if (!name.test(key)) throw new InvalidInputError(`"${key.slice(0, 60)}" cannot be the name of a ${kind}`);
    if (value.length > LONGEST_VALUE) {
      throw new InvalidInputError(`The ${kind} "${key}" has more than ${LONGEST_VALUE} characters`);
    }
  }
  return { ...entries };
}

function validArguments(entries: Readonly<Record<string, string>>): Record<string, string> {
  return validEntries(entries, { kind: 'build argument', name: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/ });
}

function validLabels(entries: Readonly<Record<string, string>>): Record<string, string> {
  return validEntries(entries, { kind: 'label', name: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$/ });
}

/** Characters of a secret: shorter ones are parts of any text, and could not be kept out of logs. */
export const SHORTEST_SECRET = 4;

/** Their names become those of files. Throws InvalidInputError. */
export function validSecrets(entries: Readonly<Record<string, string>>): Record<string, string> {
  requireStorable(entries);
  const secrets = validEntries(entries, { kind: 'secret', name: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/ });
  for (const [name, value] of Object.entries(secrets)) {
    if (value.trim().length >= SHORTEST_SECRET) continue;
    throw new InvalidInputError(
      `The secret "${name}" has less than ${SHORTEST_SECRET} characters: it could not be kept out of the log`,
    );
  }
  return secrets;
}

function validPlatform(platform: string | null): string | null {
  if (platform !== null && !/^[a-z0-9]{1,32}\/[a-z0-9_]{1,32}(\/[a-z0-9]{1,32})?$/.test(platform)) {
    throw new InvalidInputError(`"${platform.slice(0, 60)}" is not a platform like linux/amd64`);
  }
  const [os, architecture] = platform?.split('/') ?? [];
  if (os !== undefined && os !== 'linux') {
    throw new InvalidInputError(`Images can be built for linux only, not for ${os}`);
  }
  if (architecture !== undefined && !ARCHITECTURES.has(architecture)) {
    throw new InvalidInputError(
      `There is no architecture "${architecture}"; known are ${[...ARCHITECTURES].join(', ')}`,
    );
  }
  return platform;
}

/** As images call those that Linux runs on. */
const ARCHITECTURES = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x'.split(' '),
);

function validLimits(
  { timeoutSeconds, memoryBytes, processes }: BuildSubmission,
  bounds: BuildBounds,
): Pick<BuildOptions, 'timeoutSeconds' | 'memoryBytes' | 'processes'> {
  return {
    timeoutSeconds: within('The timeout', 'seconds', timeoutSeconds, 1, bounds.buildSeconds),
    memoryBytes: within('The memory', 'bytes', memoryBytes, LEAST_MEMORY, bounds.buildMemoryBytes),
    processes: within('The limit', 'processes', processes, 1, bounds.buildProcesses),
  };
}

const LEAST_MEMORY = 4 * 1024 ** 2;

function within(
  what: string,
  unit: string,
  value: number | null | undefined,
  least: number,
  most: number,
): number | null {
  if (value == null) return null;
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new InvalidInputError(`${what} of a build must be from ${least} to ${most} ${unit}`);
}
