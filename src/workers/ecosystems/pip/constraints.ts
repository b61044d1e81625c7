import { satisfies } from '@renovatebot/pep440';
import { ValidationError } from '../../../domain/errors.ts';
import { canonicalName } from '../../../domain/packages/python-project-name.ts';
import { mayApply } from './marker.ts';
import { isSameVersion, normalVersion } from './project-version.ts';
import type { IndexRequirement, Requirement } from './requirement.ts';
import { pinnedVersion } from './requirement-rules.ts';
import type { RequirementsFile } from './requirements-file.ts';
import type { WheelTargets } from './wheel-target.ts';

interface Constraint {
  requirement: Requirement;
  path: string;
}

export interface Pin {
  version: string;
  hashes: string[];
}

/**
 * What constraint files say of projects that are required (own interface): they pin what a requirement leaves open, they
 * may not contradict it, and their hashes count.
 */
export class Constraints {
  readonly #byName = new Map<string, Constraint[]>();

  constructor(files: readonly RequirementsFile[], wheels: WheelTargets | null) {
    for (const file of files) {
      for (const { requirement } of file.requirements) {
        const { marker } = requirement;
        if (wheels && marker && !wheels.environments.some((one) => mayApply(marker.parsed, one))) continue;
        const name = canonicalName(requirement.name);
        const known = this.#byName.get(name) ?? [];
        known.push({ requirement, path: file.path });
        this.#byName.set(name, known);
      }
    }
  }

  /** The versions that constraints pin and the requirement allows. */
  pins(requirement: IndexRequirement): Pin[] {
    const pins = new Map<string, Pin>();
    for (const { requirement: constraint } of this.#of(requirement)) {
      const version = pinnedVersion(constraint);
      if (version === null || !allows(requirement, version)) continue;
      const key = normalVersion(version) ?? version;
      const known = pins.get(key);
      if (known) known.hashes.push(...constraint.hashes);
      else pins.set(key, { version, hashes: [...constraint.hashes] });
    }
    return [...pins.values()];
  }

  /** Throws ValidationError when a constraint does not allow the version. Returns the constraints' hashes. */
  verify(requirement: IndexRequirement, version: string): string[] {
    const hashes: string[] = [];
    for (const { requirement: constraint, path } of this.#of(requirement)) {
      if (allows(constraint, version)) hashes.push(...constraint.hashes);
      // Whether a marker applies depends on where the project is installed.
      else if (!constraint.marker) throw conflict(requirement, constraint, path);
    }
    return hashes;
  }

  #of(requirement: IndexRequirement): { requirement: IndexRequirement; path: string }[] {
    return (this.#byName.get(canonicalName(requirement.name)) ?? []).map(
      ({ requirement: constraint, path }) => {
        if (constraint.kind === 'pypi') return { requirement: constraint, path };
        throw conflict(requirement, constraint, path);
      },
    );
  }
}

function allows({ specifiers }: IndexRequirement, version: string): boolean {
  return specifiers.every(({ operator, version: wanted }) => {
    if (operator === '===') return wanted === version;
    if (operator === '==' && !wanted.endsWith('.*')) return isSameVersion(wanted, version);
    return satisfies(version, `${operator}${wanted}`, { prereleases: true });
  });
}

function conflict(requirement: Requirement, constraint: Requirement, path: string): ValidationError {
  return new ValidationError(
    'invalid-input',
    `The requirement ${requirement.line} conflicts with the constraint ${constraint.line} of app/${path}`,
  );
}
