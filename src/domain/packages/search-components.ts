import { PackageURL } from 'packageurl-js';
import type { Database } from '../database/database.ts';
import { type Component, type ComponentFilter, listComponents } from '../database/sql/list-components.ts';
import type { Reader } from '../database/sql/readable-repositories.ts';
import { InvalidInputError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { componentName } from './component-name.ts';
import { type VersionMatcher, versionRange } from './version-range.ts';

/** What to look for in all bundles that the caller may see. */
export interface ComponentQuery {
  /** With or without a version; with qualifiers or a subpath it is looked for exactly. */
  purl?: string | null | undefined;
  /** A purl type, or a package manager's name. */
  type?: string | null | undefined;
  /** With its namespace: `@angular/core`. */
  name?: string | null | undefined;
  version?: string | null | undefined;
  /** See version-range.ts. */
  range?: string | null | undefined;
}

/**
 * Components in the order in which they were first seen, after an id: of bundles that the principal may see, and of images
 * that the reader may. Throws InvalidInputError.
 */
export async function searchComponents(
  database: Database,
  principal: Principal,
  reader: Reader,
  query: ComponentQuery,
  page: Page,
): Promise<Component[]> {
  requireScope(principal, 'read');
  return await matchingComponents(query, page, (filter, batch) =>
    listComponents(database.sql, principal, reader, filter, batch),
  );
}

/** Reads components that fit a filter, in the order of their ids. */
export type ComponentReader = (filter: ComponentFilter, page: Page) => Promise<Component[]>;

/** Where to go on, and how far. */
export interface Page {
  after: number;
  limit: number;
}

/** Those of what a reader gives that a query, ranges included, is about. */
export async function matchingComponents(
  query: ComponentQuery,
  page: Page,
  read: ComponentReader,
): Promise<Component[]> {
  const { matches, ...filter } = criteria(query);
  const found: Component[] = [];
  for (let after = page.after; found.length < page.limit; ) {
    const limit = matches ? BATCH : page.limit - found.length;
    const batch = await read(filter, { after, limit });
    found.push(
      ...batch.filter((one) => !matches || (one.version !== null && matches(one.type, one.version))),
    );
    if (batch.length < limit) break;
    after = batch.at(-1)!.id;
  }
  return found.slice(0, page.limit);
}

/** Ids of all that a query is about. Throws InvalidInputError, also for a query without a name or purl. */
export async function componentIds(query: ComponentQuery, read: ComponentReader): Promise<number[]> {
  const { name, purls } = criteria(query);
  if (name === null && purls === null) {
    throw new InvalidInputError('A component is looked for by its name or purl');
  }
  const found = await matchingComponents(query, { after: 0, limit: MOST_VERSIONS }, read);
  return found.map((component) => component.id);
}

/** Of one component: more than any has. */
const MOST_VERSIONS = 100_000;
const BATCH = 1_000;

interface Criteria extends ComponentFilter {
  matches: VersionMatcher | null;
}

function criteria(query: ComponentQuery): Criteria {
  const given = query.purl == null ? null : parsePurl(query.purl);
  const type = one('type', given?.type ?? null, query.type == null ? null : purlType(query.type));
  const name = one('name', given?.name ?? null, query.name ?? null);
  const version = one('version', given?.version ?? null, query.version ?? null);
  const purls = given?.exact ?? null;
  if (query.range == null) return { purls, type, name, version, matches: null };
  if (version !== null) throw new InvalidInputError('Give either a version or a range');
  if (name === null) throw new InvalidInputError('A range needs the name of a component, or its purl');
  return { purls, type, name, version, matches: versionRange(query.range, type) };
}

function one(what: string, fromPurl: string | null, given: string | null): string | null {
  if (fromPurl !== null && given !== null && fromPurl !== given) {
    throw new InvalidInputError(`The purl has the ${what} "${fromPurl}", not "${given}"`);
  }
  return fromPurl ?? given;
}

function parsePurl(text: string): {
  type: string;
  name: string;
  version: string | null;
  exact: string[] | null;
} {
  try {
    const purl = PackageURL.fromString(text);
    const isExact = purl.qualifiers !== undefined || purl.subpath !== undefined;
    return { ...componentName(text), exact: isExact ? [text, purl.toString()] : null };
  } catch {
    throw new InvalidInputError(`"${text.slice(0, 60)}" is not a package URL`, {
      hint: 'For example pkg:npm/lodash.',
    });
  }
}

const MANAGER_TYPES: Record<string, string> = {
  gomod: 'golang',
  pip: 'pypi',
  rubygems: 'gem',
  yarn: 'npm',
  'git-submodule': 'generic',
};

function purlType(type: string): string {
  return MANAGER_TYPES[type.toLowerCase()] ?? type.toLowerCase();
}
