import { hasClearCredentials } from '../../../domain/sources/repository-credentials.ts';
import { maskedUrl } from '../../masked-url.ts';

/** Arguments of mutations whose values stand in the audit log. Of all others it says only that they were there. */
export const SHOWN: ReadonlySet<string> = new Set(
  `abi accessKey account arch binary bundleRequest category changes dependencyReplacements digest dockerfile expiresAt flags forced from git grants image images input isAdmin isPublic keepDays keepLatest keepPulledDays keepSince keepTags manager memoryBytes name network newName number orphans os packageManagers packages path platform policy priority processes project pyImpl pyVersion quota ref reference repositories repository requirementsBuildFiles requirementsFiles role rules scopes stage strictIntegrity tag target task timeoutSeconds to type untaggedDays upload useCache user version visibility`.split(
    ' ',
  ),
);

const LONGEST_TEXT = 200;
const LONGEST_LIST = 20;
const USER_INFO = /(?<=:\/\/)[^/?#\s]*@/g;
/** Of a URL that is going to be refused. */
const ALL_BEFORE = /(?<=:\/\/).*@/gs;

/** What the audit log says of them. */
export function shownArguments(args: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, SHOWN.has(name) ? shown(value) : '***']),
  );
}

function shown(value: unknown): unknown {
  if (value instanceof Date || value === null) return value;
  if (typeof value === 'string') return shortened(maskedUrl(value.replaceAll(userInfoIn(value), '***@')));
  if (Array.isArray(value)) {
    const more = value.length - LONGEST_LIST;
    return [...value.slice(0, LONGEST_LIST).map(shown), ...(more > 0 ? [`and ${more} more`] : [])];
  }
  return typeof value === 'object' ? shownArguments(value) : value;
}

function userInfoIn(text: string): RegExp {
  return hasClearCredentials(text) ? USER_INFO : ALL_BEFORE;
}

function shortened(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
