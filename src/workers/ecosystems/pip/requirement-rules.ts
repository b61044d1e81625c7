import { InvalidChecksum, ValidationError } from '../../../domain/errors.ts';
import type { ExpectedDigest, HashAlgorithm } from '../../downloads/artifact-store.ts';
import { pythonRepr } from './python-text.ts';
import type { IndexRequirement, Requirement, Rules, UrlRequirement, VcsRequirement } from './requirement.ts';
import { type FileOption, isOption } from './requirements-file.ts';

/** The rules that requirements must keep, one function for each kind (prefetch.md 5.1). */

const REFUSED_OPTIONS = ['--index-url', '--extra-index-url', '--no-index', '--find-links', '--only-binary'];
const ARCHIVE_EXTENSIONS = ['.zip', '.tar.gz', '.tar.bz2', '.tar.xz', '.tar.Z', '.tar'];
const ALGORITHMS: readonly HashAlgorithm[] = ['sha256', 'sha384', 'sha512', 'md5', 'sha1'];

export interface OptionRules {
  rules: Rules;
  /** The project's own `--index-url` may stay when it says what is configured anyway. */
  upstream: (url: string) => boolean;
  wheels: boolean;
}

/** Returns the names of the options that have no effect. */
export function checkOptions(
  options: readonly FileOption[],
  { rules, upstream, wheels }: OptionRules,
): string[] {
  const isHarmless = (option: FileOption) =>
    rules === 'native' &&
    ((isOption(option, '--index-url') && upstream(option.value ?? '')) ||
      (isOption(option, '--only-binary') && wheels));
  const refused = options.filter(
    (option) => REFUSED_OPTIONS.some((long) => isOption(option, long)) && !isHarmless(option),
  );
  if (refused.length > 0) {
    const names = refused.map(({ name }) => name).join(', ');
    throw new ValidationError(
      'unsupported-feature',
      `Cachito does not support the following options: ${names}`,
    );
  }
  const effective = ['--require-hashes', '--trusted-host', '--requirement'];
  if (rules === 'native') effective.push('--constraint');
  return options
    .filter((option) => !effective.some((long) => isOption(option, long)))
    .map(({ name }) => name);
}

/** The version of a requirement that is pinned by itself; null otherwise. */
export function pinnedVersion({ specifiers }: IndexRequirement): string | null {
  const [only, ...more] = specifiers;
  return only && more.length === 0 && (only.operator === '==' || only.operator === '===')
    ? only.version
    : null;
}

export function notPinned({ line }: IndexRequirement): ValidationError {
  return new ValidationError(
    'unpinned-requirement',
    `Requirement must be pinned to an exact version: ${line}`,
  );
}

export interface GitReference {
  /** For git, as written but without `git+`, commit and fragment. */
  url: string;
  /** Lower case. */
  commit: string;
}

export function gitReference({ line, scheme, url }: VcsRequirement): GitReference {
  if (scheme !== 'git' && !scheme.startsWith('git+')) {
    throw new ValidationError('unsupported-feature', `Unsupported VCS for ${line}: ${scheme}`);
  }
  const withoutFragment = url.replace(/#.*$/s, '');
  const match = /^(.+)@([0-9A-Fa-f]{40})$/s.exec(withoutFragment);
  if (!match || !URL.canParse(withoutFragment.replace(/^git\+/i, ''))) {
    throw new ValidationError(
      'invalid-vcs-reference',
      `No git ref in ${line} (expected 40 hexadecimal characters)`,
    );
  }
  return { url: match[1]!.replace(/^git\+/i, ''), commit: match[2]!.toLowerCase() };
}

export interface UrlReference {
  /** Without the fragment. */
  url: string;
  digest: ExpectedDigest;
  extension: string;
  /** True when the digest came from `--hash`, so that the fragment lacks it. */
  hashFromOption: boolean;
}

export interface UrlForm {
  /** Without the fragment. */
  url: string;
  extension: string;
  /** `algorithm:digest`, as written. */
  hash: string;
  hashFromOption: boolean;
}

/** Throws ValidationError. What the hash says is not judged yet. */
export function urlForm(requirement: UrlRequirement, rules: Rules): UrlForm {
  const { line, qualifiers, hashes, url } = requirement;
  const inFragment = qualifiers.cachito_hash;
  const [hash, ...more] = [...hashes, ...(inFragment === undefined ? [] : [inFragment])];
  if (hash === undefined || more.length > 0) {
    const count = hash === undefined ? 0 : more.length + 1;
    throw new ValidationError(
      count === 0 ? 'missing-checksum' : 'invalid-checksum',
      `URL requirement must specify exactly one hash, but specifies ${count}: ${line}. ` +
        'Use the --hash option or the #cachito_hash URL fragment, but not both (or more than one --hash).',
    );
  }
  const withoutFragment = url.replace(/#.*$/s, '');
  const extension = extensionOf(withoutFragment, rules);
  if (extension === null) {
    throw new ValidationError(
      'unexpected-format',
      `URL for requirement does not contain any recognized file extension: ${line} ` +
        `(expected one of ${ARCHIVE_EXTENSIONS.join(', ')})`,
    );
  }
  return { url: withoutFragment, extension, hash, hashFromOption: inFragment === undefined };
}

export function urlReference(requirement: UrlRequirement, rules: Rules): UrlReference {
  const { url, extension, hash, hashFromOption } = urlForm(requirement, rules);
  return { url, digest: expectedDigests([hash])[0]!, extension, hashFromOption };
}

/** Of the names in `hash` options; other algorithms than ours are refused only when nothing else is left. */
export function expectedDigests(hashes: readonly string[]): ExpectedDigest[] {
  const digests = hashes.map(parseHash);
  const known = digests.filter(({ algorithm }) => (ALGORITHMS as readonly string[]).includes(algorithm));
  if (digests.length > 0 && known.length === 0) {
    throw new InvalidChecksum('invalid-checksum', `Unknown hash algorithm: ${digests[0]!.algorithm}`);
  }
  return known as ExpectedDigest[];
}

function parseHash(text: string): { algorithm: string; hex: string } {
  const match = /^([A-Za-z0-9_-]+):([0-9A-Za-z]+)$/.exec(text);
  if (!match) {
    throw new ValidationError(
      'invalid-checksum',
      `Not a valid hash specifier: ${pythonRepr(text)} (expected algorithm:digest)`,
    );
  }
  return { algorithm: match[1]!.toLowerCase(), hex: match[2]!.toLowerCase() };
}

/** The values that a requirement gives, whatever its kind. */
export function hashesOf(requirement: Requirement): string[] {
  if (requirement.kind !== 'url') return requirement.hashes;
  const inFragment = requirement.qualifiers.cachito_hash;
  return inFragment === undefined ? requirement.hashes : [...requirement.hashes, inFragment];
}

export function missingHash({ line }: Pick<Requirement, 'line'>): ValidationError {
  return new ValidationError(
    'missing-checksum',
    `Hash is required, dependency does not specify any: ${line}`,
  );
}

function extensionOf(url: string, rules: Rules): string | null {
  const path = url.replace(/\?.*$/s, '');
  if (rules === 'native' && /\/[^/]+-[^/]+-[^/]+-[^/]+\.whl$/.test(path)) return '.whl';
  return ARCHIVE_EXTENSIONS.find((extension) => path.endsWith(extension)) ?? null;
}
