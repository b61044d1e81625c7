import { ValidationError } from '../../../domain/errors.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { Constraints } from './constraints.ts';
import { mayApply } from './marker.ts';
import type { IndexRequirement, Rules, UrlRequirement, VcsRequirement } from './requirement.ts';
import {
  checkOptions,
  expectedDigests,
  type GitReference,
  gitReference,
  hashesOf,
  missingHash,
  notPinned,
  pinnedVersion,
  type UrlReference,
  urlReference,
} from './requirement-rules.ts';
import { isOption, type RequirementLine, type RequirementsFile } from './requirements-file.ts';
import type { RequirementsTree } from './requirements-tree.ts';
import type { WheelTargets } from './wheel-target.ts';

/** A dependency that is to be fetched: read, checked, and with all that is known of it. */
export type Planned = PlannedRelease | PlannedGit | PlannedUrl;

interface PlannedCommon {
  line: RequirementLine;
  file: RequirementsFile;
  dev: boolean;
  /** Hashes are in force for the pip command that reads the file. */
  hashesInForce: boolean;
}

export interface PlannedRelease extends PlannedCommon {
  kind: 'pypi';
  name: string;
  version: string;
  /** Any of these; empty when neither requirement nor constraint gives one. */
  expected: ExpectedDigest[];
  wheels: WheelTargets | null;
}

export interface PlannedGit extends PlannedCommon {
  kind: 'vcs';
  requirement: VcsRequirement;
  reference: GitReference;
}

export interface PlannedUrl extends PlannedCommon {
  kind: 'url';
  requirement: UrlRequirement;
  reference: UrlReference;
  /** `--trusted-host` names the host. */
  insecure: boolean;
}

export interface PlanRules {
  rules: Rules;
  strictIntegrity: boolean;
  wheels: WheelTargets | null;
  isUpstream: (url: string) => boolean;
  log: { info(message: string): void };
}

/** File by file: options, then the form of each requirement, then hashes (prefetch.md 5.1). */
export function planDependencies(tree: RequirementsTree, rules: PlanRules): Planned[] {
  const constraints = new Constraints(tree.constraints, rules.wheels);
  const hashesInForce = tree.files.some(requiresHashes);
  return tree.files.flatMap((file) => planFile(file, tree, { ...rules, constraints, hashesInForce }));
}

interface FileRules extends PlanRules {
  constraints: Constraints;
  hashesInForce: boolean;
}

function planFile(file: RequirementsFile, tree: RequirementsTree, rules: FileRules): Planned[] {
  const ignored = checkOptions(file.options, {
    rules: rules.rules,
    upstream: rules.isUpstream,
    wheels: rules.wheels !== null,
  });
  if (ignored.length > 0) {
    rules.log.info(`pip: options without effect in app/${file.path}: ${ignored.join(', ')}`);
  }
  const trustedHosts = new Set(
    file.options.filter((option) => isOption(option, '--trusted-host')).map(({ value }) => value),
  );
  const wanted = file.requirements.filter((line) => isWanted(line, rules));
  const planned = wanted.flatMap((line) =>
    planLine({ line, file, dev: tree.dev, hashesInForce: rules.hashesInForce }, trustedHosts, rules),
  );
  checkHashes(file, planned, rules);
  return planned;
}

/** In the own interface markers count when targets are given. */
function isWanted({ requirement }: RequirementLine, { wheels }: FileRules): boolean {
  const { marker } = requirement;
  if (!wheels || !marker) return true;
  return wheels.environments.some((environment) => mayApply(marker.parsed, environment));
}

function planLine(
  common: PlannedCommon,
  trustedHosts: ReadonlySet<string | null>,
  rules: FileRules,
): Planned[] {
  const { requirement } = common.line;
  switch (requirement.kind) {
    case 'vcs':
      return [{ kind: 'vcs', ...common, requirement, reference: gitReference(requirement) }];
    case 'url': {
      const reference = urlReference(requirement, rules.rules);
      const { host, hostname } = URL.canParse(reference.url)
        ? new URL(reference.url)
        : { host: '', hostname: '' };
      const insecure = trustedHosts.has(host) || trustedHosts.has(hostname);
      return [{ kind: 'url', ...common, requirement, reference, insecure }];
    }
    case 'pypi':
      return planRelease(common, requirement, rules);
  }
}

/** One release; several when constraints with different markers pin the project. */
function planRelease(
  common: PlannedCommon,
  requirement: IndexRequirement,
  { constraints, rules, wheels }: FileRules,
): PlannedRelease[] {
  const own = pinnedVersion(requirement);
  const pins =
    own !== null
      ? [{ version: own, hashes: constraints.verify(requirement, own) }]
      : rules === 'native'
        ? constraints.pins(requirement)
        : [];
  if (pins.length === 0) throw notPinned(requirement);
  return pins.map(({ version, hashes }) => ({
    kind: 'pypi',
    ...common,
    name: requirement.name,
    version,
    expected: bothHashes(requirement, expectedDigests(requirement.hashes), expectedDigests(hashes)),
    wheels,
  }));
}

/** As pip does: what requirement and constraint agree on, when both give hashes. */
function bothHashes(
  { line }: IndexRequirement,
  own: ExpectedDigest[],
  constrained: ExpectedDigest[],
): ExpectedDigest[] {
  if (own.length === 0 || constrained.length === 0) return [...own, ...constrained];
  const both = own.filter(({ algorithm, hex }) =>
    constrained.some((other) => other.algorithm === algorithm && other.hex === hex),
  );
  if (both.length > 0) return both;
  throw new ValidationError(
    'invalid-checksum',
    `The requirement ${line} and its constraint have no hash in common`,
  );
}

function checkHashes(file: RequirementsFile, planned: readonly Planned[], rules: FileRules): void {
  const required = requiresHashes(file);
  for (const one of planned) {
    const { requirement } = one.line;
    expectedDigests(hashesOf(requirement));
    if (one.kind === 'url') continue;
    // A commit names its content: the own interface asks for no other hash.
    if (one.kind === 'vcs' && rules.rules === 'native') continue;
    const hasHash = one.kind === 'pypi' ? one.expected.length > 0 : requirement.hashes.length > 0;
    if (!hasHash && (required || rules.strictIntegrity)) throw missingHash(requirement);
  }
}

function requiresHashes(file: RequirementsFile): boolean {
  return (
    file.options.some((option) => isOption(option, '--require-hashes')) ||
    file.requirements.some(({ requirement }) => requirement.hashes.length > 0)
  );
}
