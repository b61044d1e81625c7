import { InvalidInputError } from '../errors.ts';

/**
 * What a repository keeps (oci-registry.md 10). A tag that any of the `keep…` rules names stays; without such a rule all
 * of them stay. Rules that are absent keep nothing.
 */
export interface RetentionRules {
  /** Regular expressions (of PostgreSQL) for whole names of images; absent or empty: the rules are for all of them. */
  images?: string[];
  /** So many of each image, those that were pushed last. */
  keepLatest?: number;
  /** Pushed in the last so many days. */
  keepDays?: number;
  /** Pushed since then, ISO 8601. */
  keepSince?: string;
  /** Pulled in the last so many days; of a multi-arch image any part. */
  keepPulledDays?: number;
  /** Regular expressions for whole names of tags. */
  keepTags?: string[];
  /** Days after which manifests go that have neither a tag nor been pulled; absent: they stay. */
  untaggedDays?: number;
  /** Manifests that refer to a deleted one; absent: they go. */
  orphans?: 'remove' | 'keep';
}

const MOST_DAYS = 36_500;
const MOST_TAGS = 1_000_000;
const MOST_PATTERNS = 100;
const LONGEST_PATTERN = 256;

const PARSERS: { [Name in keyof RetentionRules]-?: (value: unknown, name: string) => RetentionRules[Name] } =
  {
    images: patterns,
    keepLatest: wholeNumber(1, MOST_TAGS),
    keepDays: wholeNumber(1, MOST_DAYS),
    keepSince: date,
    keepPulledDays: wholeNumber(1, MOST_DAYS),
    keepTags: patterns,
    untaggedDays: wholeNumber(0, MOST_DAYS),
    orphans: orphans,
  };

/** Throws InvalidInputError. Regular expressions are left to the database. */
export function parseRetentionRules(value: unknown): RetentionRules {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidInputError('Retention rules are an object');
  }
  const rules: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    if (!Object.hasOwn(PARSERS, name)) throw new InvalidInputError(`"${name}" is not a retention rule`);
    if (given !== null && given !== undefined)
      rules[name] = PARSERS[name as keyof RetentionRules](given, name);
  }
  return rules;
}

/** Whether any tag can go. */
export function retiresTags(rules: RetentionRules): boolean {
  const { keepLatest, keepDays, keepSince, keepPulledDays } = rules;
  return [keepLatest, keepDays, keepSince, keepPulledDays].some((rule) => rule !== undefined);
}

function wholeNumber(least: number, most: number): (value: unknown, name: string) => number {
  return (value, name) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    throw new InvalidInputError(`${name} is a whole number from ${least} to ${most}`);
  };
}

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/;

/** Without a zone it is UTC, wherever the server is. */
function date(value: unknown, name: string): string {
  const [, day, time = '00:00', zone = 'Z'] = (typeof value === 'string' && DATE.exec(value)) || [];
  const instant = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  if (Number.isNaN(instant)) throw new InvalidInputError(`${name} is a date like 2024-05-31T12:00:00Z`);
  return new Date(instant).toISOString();
}

function patterns(value: unknown, name: string): string[] {
  const isList = Array.isArray(value) && value.length <= MOST_PATTERNS;
  if (isList && value.every((one) => typeof one === 'string' && one !== '' && isStorable(one))) return value;
  throw new InvalidInputError(
    `${name} is a list of at most ${MOST_PATTERNS} regular expressions of at most ${LONGEST_PATTERN} characters`,
  );
}

function isStorable(pattern: string): boolean {
  return pattern.length <= LONGEST_PATTERN && !pattern.includes('\0');
}

function orphans(value: unknown, name: string): 'remove' | 'keep' {
  if (value === 'remove' || value === 'keep') return value;
  throw new InvalidInputError(`${name} is "remove" or "keep"`);
}
