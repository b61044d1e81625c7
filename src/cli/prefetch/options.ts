import { InvalidInputError } from '../../domain/errors.ts';
import { FLAGS, type WheelSelection } from '../../domain/packages/package.ts';
import { enumName, type SubmissionInput } from '../client/bundle-requests.ts';

/** The options of `stowage prefetch`, as commander gives them. */
export interface PrefetchOptions {
  ref?: string;
  npm?: string[];
  yarn?: string[];
  pip?: string[];
  gomod?: string[];
  rubygems?: string[];
  gitSubmodule?: boolean;
  requirements?: string[];
  requirementsBuild?: string[];
  wheels?: string;
  flag?: string[];
  strictIntegrity?: boolean;
  sourceOnly?: boolean;
  output?: string;
  sbomFormat: 'cyclonedx-1.6' | 'spdx-2.3';
  project?: string;
  server?: string;
  token?: string;
  json?: boolean;
}

/** What is asked of the server besides the source. Throws InvalidInputError for options that exclude each other. */
export function submissionOf(options: PrefetchOptions): SubmissionInput {
  const packages = packagesOf(options);
  const managers = [
    ...new Set(packages.map((one) => one.manager)),
    ...(options.gitSubmodule ? [enumName('git-submodule')] : []),
  ];
  if (options.sourceOnly && managers.length > 0) {
    throw new InvalidInputError('--source-only does not go with options that name package managers');
  }
  const requirements = options.requirements ?? options.requirementsBuild;
  if (requirements && !options.pip) {
    throw new InvalidInputError('--requirements and --requirements-build belong to a --pip PATH');
  }
  if (options.wheels !== undefined && !options.pip) {
    throw new InvalidInputError('--wheels belongs to a --pip PATH');
  }
  const unknown = (options.flag ?? []).find((name) => !FLAGS.some((known) => known === name));
  if (unknown !== undefined) {
    throw new InvalidInputError(`"${unknown}" is not a flag; there are ${FLAGS.join(', ')}`);
  }
  return {
    ...(options.sourceOnly && { packageManagers: [] }),
    ...(packages.length > 0 && { packages }),
    ...(managers.length > 0 && { packageManagers: managers }),
    ...(options.flag && { flags: options.flag.map(enumName) }),
    ...(options.strictIntegrity && { strictIntegrity: true }),
    ...(options.project !== undefined && { project: options.project }),
  };
}

function packagesOf(options: PrefetchOptions): NonNullable<SubmissionInput['packages']> {
  const at = (manager: string, paths: readonly string[] = []) =>
    paths.map((path) => ({ manager: enumName(manager), path }));
  const { requirements, requirementsBuild, wheels } = options;
  const binary = wheels === undefined ? null : wheelSelection(wheels);
  return [
    ...at('gomod', options.gomod),
    ...at('npm', options.npm),
    ...at('yarn', options.yarn),
    ...at('pip', options.pip).map((one) => ({
      ...one,
      ...(requirements && { requirementsFiles: requirements }),
      ...(requirementsBuild && { requirementsBuildFiles: requirementsBuild }),
      ...(binary && { binary }),
    })),
    ...at('rubygems', options.rubygems),
  ];
}

const WHEEL_FIELDS: Record<string, keyof WheelSelection> = {
  packages: 'packages',
  arch: 'arch',
  os: 'os',
  py_version: 'pyVersion',
  py_impl: 'pyImpl',
  abi: 'abi',
  platform: 'platform',
};

/** `:all:`, names, or `field=value;field=value` with the field names of prefetch.md 5.2. */
function wheelSelection(text: string): WheelSelection {
  if (!text.includes('=')) return { packages: text };
  const selection: WheelSelection = {};
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const [name = '', ...value] = part.split('=');
    const field = Object.hasOwn(WHEEL_FIELDS, name.trim()) ? WHEEL_FIELDS[name.trim()]! : null;
    if (field === null || value.length === 0) {
      throw new InvalidInputError(
        `"${part}" is no field of --wheels; there are ${Object.keys(WHEEL_FIELDS).join(', ')}`,
      );
    }
    selection[field] = value.join('=').trim();
  }
  return selection;
}
