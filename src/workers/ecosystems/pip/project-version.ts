import { eq, explain } from '@renovatebot/pep440';

/** No version is longer; the pattern that reads them is not made for more. */
const MAX_LENGTH = 200;

/** PEP 440's normal form; null for anything else. */
export function normalVersion(text: string): string | null {
  if (text.length > MAX_LENGTH) return null;
  const version = explain(text.trim());
  if (!version) return null;
  const { local } = version;
  return local ? `${version.public}+${local}` : version.public;
}

/** setuptools' `safe_version`: the normal form, or what is left when everything unusual becomes a dash. */
export function safeVersion(text: string): string {
  return normalVersion(text) ?? text.replaceAll(' ', '.').replace(/[^A-Za-z0-9.]+/g, '-');
}

/** Equal after PEP 440's canonicalisation (`1.0` and `1.0.0`); texts that are no versions must be the same. */
export function isSameVersion(a: string, b: string): boolean {
  const [first, second] = [normalVersion(a), normalVersion(b)];
  return first !== null && second !== null ? eq(first, second) : a === b;
}
