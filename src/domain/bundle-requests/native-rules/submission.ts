import type { Settings } from '../../config.ts';
import { InvalidInputError } from '../../errors.ts';
import {
  type DependencyReplacement,
  FLAGS,
  type Flag,
  PACKAGE_MANAGERS,
  type PackageManager,
  type PackageOptions,
} from '../../packages/package.ts';
import { packagePath } from '../../packages/package-path.ts';
import { isLocalRepository } from '../../sources/local-repository.ts';
import { requireClearCredentials } from '../../sources/repository-credentials.ts';
import type { RequestPriority, ValidSubmission } from '../bundle-request.ts';
import { requireReplaceable } from '../cachito-rules/dependency-replacements.ts';

/** What a client asks for. Exactly one of `repository` and `uploadId`. */
export interface Submission {
  repository?: string | null;
  /** Commit, branch or tag; null: the remote's HEAD. */
  ref?: string | null;
  uploadId?: number | null;
  projectName?: string | null;
  /** null: detect. Empty: the source only. */
  packageManagers?: readonly string[] | null;
  packages?: Partial<Record<string, PackageOptions[]>>;
  flags?: readonly string[];
  dependencyReplacements?: readonly DependencyReplacement[];
  strictIntegrity?: boolean;
  priority?: RequestPriority;
}

const LONGEST_REPOSITORY = 2_000;
const LONGEST_REF = 255;

/** By the rules of our own interface. Throws InvalidInputError. */
export function validSubmission(submission: Submission, settings: Settings): ValidSubmission {
  const { repository = null, uploadId = null } = submission;
  if ((repository === null) === (uploadId === null)) {
    throw new InvalidInputError('Give either a repository or an upload');
  }
  if (repository !== null) validateRepository(repository, settings);
  const requestedRef = submission.ref ?? null;
  if (requestedRef !== null) validateRef(requestedRef);
  if (uploadId !== null && requestedRef !== null) throw new InvalidInputError('An upload has no ref');

  const packages = submission.packages ?? {};
  const named = submission.packageManagers ?? null;
  const packageManagers = validateManagers([...(named ?? []), ...Object.keys(packages)], settings);
  return {
    repository,
    requestedRef,
    uploadId,
    detect: named === null && packageManagers.length === 0,
    packageManagers,
    packages: validatePackages(packages),
    flags: [...new Set((submission.flags ?? []).map(validateFlag))].sort(),
    dependencyReplacements: validateReplacements(submission.dependencyReplacements ?? [], packageManagers),
    strictIntegrity: submission.strictIntegrity ?? false,
    priority: submission.priority ?? 'normal',
    rules: 'native',
  };
}

export function validateRepository(repository: string, settings: Settings): void {
  if (repository === '' || repository.length > LONGEST_REPOSITORY || /[\0-\x20\x7f]/.test(repository)) {
    throw new InvalidInputError('The repository must be a URL without spaces');
  }
  requireClearCredentials(repository);
  if (repository.startsWith('-')) throw new InvalidInputError('The repository must not begin with "-"');
  // No worker would ever take it.
  if (isLocalRepository(repository) && !settings.gitAllowedProtocols.includes('file')) {
    throw new InvalidInputError('The repository must be a URL that the server can reach, not a path', {
      hint: 'Upload the source instead, or run "stowage prefetch PATH".',
    });
  }
}

/** The rules of git-check-ref-format that matter for safety; git decides the rest. */
export function validateRef(ref: string): void {
  if (
    ref === '' ||
    ref.length > LONGEST_REF ||
    ref.startsWith('-') ||
    /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(ref)
  ) {
    throw new InvalidInputError(`"${ref.slice(0, 60)}" is not a valid commit, branch or tag`);
  }
}

function validateManagers(names: readonly string[], settings: Settings): PackageManager[] {
  const unknown = names.filter((name) => !PACKAGE_MANAGERS.some((known) => known === name));
  if (unknown.length > 0) {
    throw new InvalidInputError(`The following package managers are invalid: ${unknown.sort().join(', ')}`);
  }
  const disabled = names.filter((name) => !settings.packageManagers.some((enabled) => enabled === name));
  if (disabled.length > 0) {
    throw new InvalidInputError(
      `The following package managers are not enabled: ${disabled.sort().join(', ')}`,
    );
  }
  return PACKAGE_MANAGERS.filter((manager) => names.includes(manager));
}

function validatePackages(packages: Partial<Record<string, PackageOptions[]>>): ValidSubmission['packages'] {
  const valid: ValidSubmission['packages'] = {};
  for (const manager of PACKAGE_MANAGERS) {
    const list = packages[manager];
    if (!list || list.length === 0) continue;
    if (manager !== 'pip') requirePathOnly(manager, list);
    valid[manager] = list.map((options) => ({
      ...options,
      path: validatePath(options.path),
      ...(options.requirementsFiles && { requirementsFiles: options.requirementsFiles.map(validatePath) }),
      ...(options.requirementsBuildFiles && {
        requirementsBuildFiles: options.requirementsBuildFiles.map(validatePath),
      }),
    }));
  }
  return valid;
}

function requirePathOnly(manager: PackageManager, list: readonly PackageOptions[]): void {
  if (manager === 'git-submodule' && list.some(({ path }) => validatePath(path) !== '.')) {
    throw new InvalidInputError('git-submodule has no paths: it takes the submodules of the repository');
  }
  for (const { path: _, ...others } of list) {
    const [name] = Object.keys(others);
    if (name !== undefined) throw new InvalidInputError(`"${name}" is for pip only, not for ${manager}`);
  }
}

function validatePath(path: string): string {
  const normal = packagePath(path);
  if (normal === null) {
    throw new InvalidInputError(`"${path.slice(0, 60)}" must be a relative path in the source repository`);
  }
  return normal;
}

function validateReplacements(
  replacements: readonly DependencyReplacement[],
  requested: readonly PackageManager[],
): DependencyReplacement[] {
  requireReplaceable(replacements, requested);
  return [...replacements];
}

function validateFlag(name: string): Flag {
  const flag = FLAGS.find((known) => known === name);
  if (!flag) throw new InvalidInputError(`Invalid/Inactive flag(s): ${name}`);
  return flag;
}
