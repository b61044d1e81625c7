import { InvalidInputError } from '../errors.ts';

/** Throws InvalidInputError, which does not repeat the URL. */
export function requireClearCredentials(repository: string): void {
  if (hasClearCredentials(repository)) return;
  throw new InvalidInputError(
    'A user name or a password in the URL of the repository must be percent-encoded',
    {
      hint: 'Write "/" as %2F, "?" as %3F, "#" as %23; and as %40 an "@" that stands in the path.',
    },
  );
}

/**
 * Whether it is clear where the password of a URL ends: a "/" in it, not escaped, makes the name of the user the host for
 * whoever reads it, so that nobody knows what to hide.
 */
export function hasClearCredentials(url: string): boolean {
  const [, authority = '', path = ''] = PARTS.exec(url.trim()) ?? [];
  if (authority.includes('@')) return URL.canParse(url.trim()) && !UNCLEAR.test(authority);
  return authority === '' || !path.includes('@') || isPlainHost(authority);
}

const PARTS = /^(?:git\+)?[a-z][a-z0-9+.-]*:\/\/([^/?#\\]*)(.*)$/is;
/** Where texts are searched for URLs, these end one. */
const UNCLEAR = /["'`<>]/;

/** What is hardly the name of a user, or its beginning. */
function isPlainHost(authority: string): boolean {
  return /^\[[0-9a-f:.]+\]$/i.test(authority) || (authority.includes('.') && !authority.includes(':'));
}
