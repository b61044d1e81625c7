import { satisfies as satisfiesPep440, validRange as validPep440Range } from '@renovatebot/pep440';
import semver from 'semver';
import { InvalidInputError } from '../errors.ts';

/** Decides whether a version lies in a range; what is no version of its kind never does. */
export type VersionMatcher = (type: string, version: string) => boolean;

/**
 * Ranges as each ecosystem writes them: npm's (`>=1 <2`, `^4.17`), PEP 440 specifiers (`>=2,<3`), semantic versions of
 * Go with or without `v`. Pre-releases count where their order puts them (for PyPI, where PEP 440 puts them). Throws InvalidInputError for what is a range
 * in none of them, or not in that of `type`.
 */
export function versionRange(range: string, type: string | null): VersionMatcher {
  const kinds = Object.entries(RANGES).filter(([name]) => type === null || name === type);
  if (kinds.length === 0) throw new InvalidInputError(`Versions of the type "${type}" have no ranges`);
  const text = range.trim();
  const matchers = new Map(
    kinds.map(([name, parse]) => [name, text === '' || text.length > LONGEST ? null : parse(text)]),
  );
  if ([...matchers.values()].every((matcher) => matcher === null)) {
    throw new InvalidInputError(`"${range.slice(0, 60)}" is not a version range`, {
      hint: 'For example "<4.17.21", ">=1.2 <2" or, for pypi, ">=2,<3".',
    });
  }
  return (componentType, version) => matchers.get(componentType)?.(version) ?? false;
}

const LONGEST = 1_000;

type Parser = (range: string) => ((version: string) => boolean) | null;

const RANGES: Record<string, Parser> = {
  npm: (range) => semanticRange(range),
  golang: (range) => semanticRange(range.replaceAll(/\bv(?=\d)/g, '')),
  pypi: (range) => {
    // Blanks between specifiers are as good as commas.
    const specifiers = range.replaceAll(/([<>=!~])\s+/g, '$1').replaceAll(/\s*,\s*|\s+/g, ',');
    if (!validPep440Range(specifiers)) return null;
    return (version) => satisfiesPep440(version, specifiers, { prereleases: true });
  },
};

function semanticRange(text: string): ((version: string) => boolean) | null {
  // A comma is "and", as people write it elsewhere.
  const range = semver.validRange(text.replaceAll(',', ' '));
  if (range === null) return null;
  return (version) => semver.satisfies(version, range, { includePrerelease: true });
}
