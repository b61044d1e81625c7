import { DomainError, ValidationError } from '../../../domain/errors.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { Constraints, type Pin } from './constraints.ts';
import { mayApply } from './marker.ts';
import type { IndexRequirement, Requirement, Rules, UrlRequirement, VcsRequirement } from './requirement.ts';
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
  urlForm,
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

/** What a description can tell without fetching: requirement by requirement, with the reason where one has no place. */
export function pinnedRequirements(tree: RequirementsTree): { pinned: Planned[]; leftOut: string[] } {
  const rules: FileRules = {
    rules: 'native',
    strictIntegrity: false,
    wheels: null,
    isUpstream: () => true,
    log: { info: () => undefined },
    constraints: new Constraints(tree.constraints, null),
    hashesInForce: false,
  };
  const pinned: Planned[] = [];
  const leftOut: string[] = [];
  for (const file of tree.files) {
    for (const line of file.requirements) {
      try {
        const common = { line, file, dev: tree.dev, hashesInForce: false };
        for (const one of planLine(common, new Set(), rules)) {
          if (one.kind === 'pypi' && one.version.includes('*'))
            throw notPinned(line.requirement as IndexRequirement);
          pinned.push(one);
        }
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        leftOut.push(error.message);
      }
    }
  }
  return { pinned, leftOut };
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
  if (file.localPaths.length > 0) {
    rules.log.info(`pip: nothing to fetch for paths in app/${file.path}: ${file.localPaths.join(', ')}`);
  }
  const trustedHosts = new Set(
    file.options.filter((option) => isOption(option, '--trusted-host')).map(({ value }) => value),
  );
  const wanted = file.requirements.filter((line) => isWanted(line, rules));
  for (const { requirement } of wanted) checkForm(requirement, rules);
  const required = requiresHashes(file) || rules.strictIntegrity;
  return wanted.flatMap((line) => {
    const common = { line, file, dev: tree.dev, hashesInForce: rules.hashesInForce };
    const planned = planLine(common, trustedHosts, rules);
    for (const one of planned) checkHashes(one, required, rules);
    return planned;
  });
}

/** In the own interface markers count when targets are given. */
function isWanted({ requirement }: RequirementLine, { wheels }: FileRules): boolean {
  const { marker } = requirement;
  if (!wheels || !marker) return true;
  return wheels.environments.some((environment) => mayApply(marker.parsed, environment));
}

/** Throws ValidationError for what cannot be fetched, whatever its hashes are. */
function checkForm(requirement: Requirement, rules: FileRules): void {
  switch (requirement.kind) {
    case 'vcs':
      gitReference(requirement);
      break;
    case 'url':
      urlForm(requirement, rules.rules);
      break;
    case 'pypi':
      pinsOf(requirement, rules);
  }
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

function planRelease(
  common: PlannedCommon,
  requirement: IndexRequirement,
  rules: FileRules,
): PlannedRelease[] {
  return pinsOf(requirement, rules).map(({ version, hashes }) => ({
    kind: 'pypi',
    ...common,
    name: requirement.name,
    version,
    expected: bothHashes(requirement, expectedDigests(requirement.hashes), expectedDigests(hashes)),
    wheels: rules.wheels,
  }));
}

/** One version; several when constraints with different markers pin the project. */
function pinsOf(requirement: IndexRequirement, { constraints, rules }: FileRules): Pin[] {
  const own = pinnedVersion(requirement);
  if (own !== null) return [{ version: own, hashes: constraints.verify(requirement, own) }];
  const pins = rules === 'native' ? constraints.pins(requirement) : [];
  if (pins.length === 0) throw notPinned(requirement);
  return pins;
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

function checkHashes(planned: Planned, required: boolean, { rules }: FileRules): void {
  const { requirement } = planned.line;
  expectedDigests(hashesOf(requirement));
  if (planned.kind === 'url') return;
  // A commit names its content: the own interface asks for no other hash.
  if (planned.kind === 'vcs' && rules === 'native') return;
  const hasHash = planned.kind === 'pypi' ? planned.expected.length > 0 : requirement.hashes.length > 0;
  if (!hasHash && required) throw missingHash(requirement);
}

function requiresHashes(file: RequirementsFile): boolean {
  return (
    file.options.some((option) => isOption(option, '--require-hashes')) ||
    file.requirements.some(({ requirement }) => requirement.hashes.length > 0)
  );
}
