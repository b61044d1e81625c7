import { matchesGlob } from 'node:path';
import { ValidationError } from '../../../domain/errors.ts';

/** A module in one version, as go.mod and go.sum name it. */
export interface ModuleVersion {
  path: string;
  version: string;
}

const MAX_LENGTH = 255;

/**
 * Go's escaped form, for URLs and file names: an upper-case letter is `!` and the lower-case one (prefetch.md 9). Throws
 * ValidationError for what is no module path or version: such text must never become part of a path.
 */
export function escapeModulePath(path: string): string {
  const parts = path.split('/');
  if (!parts.every(isSafePart) || path.length > MAX_LENGTH * 4) {
    throw new ValidationError('invalid-lockfile', `The module path ${JSON.stringify(path)} is not valid`);
  }
  return escapeLetters(path);
}

export function escapeVersion(version: string): string {
  if (!isSafePart(version)) {
    throw new ValidationError(
      'invalid-lockfile',
      `The module version ${JSON.stringify(version)} is not valid`,
    );
  }
  return escapeLetters(version);
}

/** The inverse; null when the text is not an escaped form. */
export function unescapeModulePath(escaped: string): string | null {
  if (/[A-Z]|!(?![a-z])/.test(escaped)) return null;
  const path = escaped.replace(/!([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return path.split('/').every(isSafePart) ? path : null;
}

/** `vX.Y.Z` in full, with pre-release and `+incompatible` at most: what stands for ever. */
export function isCanonicalVersion(version: string): boolean {
  return CANONICAL.test(version);
}

export function moduleKey({ path, version }: ModuleVersion): string {
  return `${path}@${version}`;
}

/**
 * Whether a path, or the part of it with as many elements as a pattern, matches one of GOPRIVATE's comma-separated
 * patterns (`*`, `?`, `[…]` within an element).
 */
export function matchesPatterns(patterns: string, path: string): boolean {
  return patterns.split(',').some((text) => {
    const pattern = text.trim().replace(/\/+$/, '');
    if (pattern === '') return false;
    const start = path.split('/').slice(0, pattern.split('/').length).join('/');
    return matchesGlob(start, pattern);
  });
}

const NUMBER = '(?:0|[1-9]\\d*)';
const CANONICAL = new RegExp(
  `^v${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?(?:\\+incompatible)?$`,
);

/** ASCII letters, digits and `-._~+`: what go takes in module paths and versions. */
function isSafePart(part: string): boolean {
  return /^[\w.~+-]+$/.test(part) && !/^\.+$/.test(part) && part.length <= MAX_LENGTH;
}

function escapeLetters(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}
