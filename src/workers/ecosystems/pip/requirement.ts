import { ValidationError } from '../../../domain/errors.ts';
import { type Marker, parseMarker } from './marker.ts';
import { isProjectName, safeName } from './project-name.ts';
import { pythonRepr } from './python-text.ts';

/** One requirement of a requirements file, read but not judged yet (see `requirement-rules.ts`). */
export type Requirement = IndexRequirement | VcsRequirement | UrlRequirement;

interface CommonParts {
  /** As messages name it: what the file says, or `name @ url`. */
  line: string;
  extras: string[];
  marker: { text: string; parsed: Marker } | null;
  /** Values of `--hash`, as written. */
  hashes: string[];
}

export interface IndexRequirement extends CommonParts {
  kind: 'pypi';
  /** As written. */
  name: string;
  specifiers: { operator: string; version: string }[];
}

interface DirectReference extends CommonParts {
  /** In `safe_name` form. */
  name: string;
  scheme: string;
  /** With the fragment. */
  url: string;
  /** Parameters of the fragment: `egg`, `subdirectory`, `cachito_hash`, … */
  qualifiers: Record<string, string>;
}

export interface VcsRequirement extends DirectReference {
  kind: 'vcs';
}

export interface UrlRequirement extends DirectReference {
  kind: 'url';
}

export type Rules = 'cachito' | 'native';

const URL_SCHEMES = new Set(['http', 'https', 'ftp']);
const VCS_SCHEMES = new Set(
  ['bzr', 'git', 'hg', 'svn'].flatMap((tool) => [tool, `${tool}+ftp`, `${tool}+http`, `${tool}+https`]),
);

/** No honest requirement is longer, its hashes not counted. */
const MAX_TEXT = 20_000;
const MAX_MARKER = 10_000;

/** Throws ValidationError with the texts of prefetch.md 5.1. `text` has no options and no comment. */
export function parseRequirement(text: string, hashes: readonly string[], rules: Rules): Requirement {
  if (text.length > MAX_TEXT) throw unparsable(text.slice(0, 200), 'it is too long');
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) throw unparsable(text, 'it has control characters');
  const named = /^([^\s@[\](){};,<>=!~:/?#]+)(?:\s*(\[[^\]]*\]))?\s*@/.exec(text);
  if (named) {
    const [whole, name, extras = ''] = named;
    return directReference(
      text,
      { name: name!, extras, rest: text.slice(whole.length).trim() },
      hashes,
      rules,
    );
  }
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)) {
    return directReference(text, { name: null, extras: '', rest: text }, hashes, rules);
  }
  return indexRequirement(text, hashes, rules);
}

function directReference(
  text: string,
  { name, extras, rest }: { name: string | null; extras: string; rest: string },
  hashes: readonly string[],
  rules: Rules,
): Requirement {
  if (name !== null && !isProjectName(name)) throw unparsable(text, `${pythonRepr(name)} is not a name`);
  const end = endOfUrl(rest, rules === 'native' && name !== null);
  const url = rest.slice(0, end);
  const tail = rest.slice(end).trim();
  if (tail !== '' && !tail.startsWith(';'))
    throw unparsable(text, `unexpected ${pythonRepr(tail.slice(0, 100))}`);
  const marker = tail === '' ? null : markerOf(text, tail.slice(1), rules);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    throw new ValidationError(
      'unexpected-format',
      `Unable to extract scheme from direct access requirement ${pythonRepr(text)}`,
    );
  }
  const isVcs = VCS_SCHEMES.has(scheme) || (rules === 'native' && scheme === 'git+ssh');
  if (!isVcs && !URL_SCHEMES.has(scheme)) {
    throw new ValidationError(
      'unsupported-feature',
      `Direct references with ${pythonRepr(scheme)} scheme are not supported, ${pythonRepr(text)}`,
    );
  }
  const qualifiers = qualifiersOf(url);
  const { egg, eggExtras } = splitEgg(qualifiers.egg);
  const found = safeName(egg || name || '');
  if (found === '' || !isProjectName(found)) {
    throw new ValidationError(
      'unexpected-format',
      `Egg name could not be determined from the requirement ${pythonRepr(text)}`,
    );
  }
  return {
    kind: isVcs ? 'vcs' : 'url',
    line: `${found} @ ${url}`,
    name: found,
    extras: [...extrasOf(text, extras), ...extrasOf(text, eggExtras)],
    marker,
    hashes: [...hashes],
    scheme,
    url,
    qualifiers,
  };
}

/** It ends at a blank; what follows is the marker. pip takes a marker without a blank, too, where a name is before it. */
function endOfUrl(text: string, markerMayTouch: boolean): number {
  const blank = text.search(/\s/);
  const end = blank < 0 ? text.length : blank;
  const semicolon = text.indexOf(';');
  const isMarker =
    markerMayTouch && semicolon >= 0 && semicolon < end && isMarkerText(text.slice(semicolon + 1));
  return isMarker ? semicolon : end;
}

function isMarkerText(text: string): boolean {
  try {
    parseMarker(text);
    return true;
  } catch {
    return false;
  }
}

function indexRequirement(text: string, hashes: readonly string[], rules: Rules): IndexRequirement {
  const semicolon = text.indexOf(';');
  const head = (semicolon < 0 ? text : text.slice(0, semicolon)).trim();
  const marker = semicolon < 0 ? null : markerOf(text, text.slice(semicolon + 1), rules);
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(.*)$/s.exec(head);
  if (!match || !isProjectName(match[1]!)) throw unparsable(text, 'it does not start with a project name');
  const [, name, extras = '', versions] = match;
  return {
    kind: 'pypi',
    line: text,
    name: name!,
    extras: extrasOf(text, extras),
    marker,
    hashes: [...hashes],
    specifiers: specifiersOf(text, versions!),
  };
}

function specifiersOf(text: string, versions: string): IndexRequirement['specifiers'] {
  let list = versions.trim();
  if (list.startsWith('(')) {
    if (!list.endsWith(')')) throw unparsable(text, 'a closing parenthesis is missing');
    list = list.slice(1, -1).trim();
  }
  if (list === '') return [];
  return list.split(',').map((part) => {
    const match = /^(===|==|~=|!=|<=|>=|<|>)\s*((?:\d+!)?[^\s;,()=<>!~]+)$/.exec(part.trim());
    if (!match) throw unparsable(text, `${pythonRepr(part.trim().slice(0, 100))} is not a version specifier`);
    return { operator: match[1]!, version: match[2]! };
  });
}

function extrasOf(text: string, list: string): string[] {
  const extras = list.replace(/^\[|\]$/g, '').split(',');
  if (extras.length === 1 && extras[0]!.trim() === '') return [];
  return extras.map((extra) => {
    const name = extra.trim();
    if (!isProjectName(name)) throw unparsable(text, `${pythonRepr(name)} is not the name of an extra`);
    return name;
  });
}

/** pip takes an empty marker for none. */
function markerOf(text: string, marker: string, rules: Rules): Requirement['marker'] {
  if (marker.trim() === '' && rules === 'native') return null;
  if (marker.length > MAX_MARKER) throw unparsable(text.slice(0, 200), 'the marker is too long');
  try {
    return { text: marker.trim(), parsed: parseMarker(marker) };
  } catch (error) {
    throw unparsable(text, (error as Error).message);
  }
}

function qualifiersOf(url: string): Record<string, string> {
  const hash = url.indexOf('#');
  const qualifiers: Record<string, string> = Object.create(null) as Record<string, string>;
  if (hash < 0) return qualifiers;
  for (const pair of url.slice(hash + 1).split('&')) {
    const at = pair.indexOf('=');
    if (at > 0) qualifiers[pair.slice(0, at)] ??= decoded(pair.slice(at + 1));
  }
  return qualifiers;
}

function splitEgg(value: string | undefined): { egg: string; eggExtras: string } {
  const match = /^([^[\]]*)(\[[^\]]*\])?$/.exec(value ?? '');
  return { egg: match?.[1]?.trim() ?? '', eggExtras: match?.[2] ?? '' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unparsable(text: string, problem: string): ValidationError {
  return new ValidationError(
    'unexpected-format',
    `Unable to parse the requirement ${pythonRepr(text)}: ${problem}`,
  );
}
