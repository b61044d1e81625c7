import type { Database } from '../database/database.ts';
import { listMemberships } from '../database/sql/list-memberships.ts';
import { ConflictError, NotFoundError } from '../errors.ts';
import { listProjects } from './list-projects.ts';
import { type Principal, requireScope } from './principal.ts';
import { createProject } from './projects.ts';

/** The projects that somebody is a member of, in the order in which they became one. */
async function ownProjectNames(database: Database, principal: Principal): Promise<string[]> {
  requireScope(principal, 'read');
  return principal.userId === null ? [] : await listMemberships(database.sql, principal.userId);
}

/**
 * The project that calls are about (fandogh.md 1.2): the one that is named, or the first of one's own. Who has none gets
 * one of their own name. Throws NotFoundError.
 */
export async function activeProjectName(
  database: Database,
  principal: Principal,
  named: string | null,
): Promise<string> {
  if (named !== null) {
    const projects = await listProjects(database, principal);
    if (projects.some(({ name }) => name === named)) return named;
    throw new NotFoundError(`There is no project "${named}"`);
  }
  const [first] = await ownProjectNames(database, principal);
  return first ?? (await createHomeProject(database, principal));
}

async function createHomeProject(database: Database, principal: Principal): Promise<string> {
  const base = homeNameOf(principal.name ?? '');
  for (let number = 1; number <= MOST_NAMES; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    try {
      return (await createProject(database, principal, { name })).name;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
    // Somebody may have made it for us at the same moment.
    const [first] = await ownProjectNames(database, principal);
    if (first !== undefined) return first;
  }
  throw new NotFoundError(`There is no free project name for "${principal.name}"`);
}

const MOST_NAMES = 100;
const LONGEST_NAME = 60;

/** Names of users have characters that names of images have not. */
function homeNameOf(userName: string): string {
  const name = userName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, LONGEST_NAME)
    .replace(/-$/, '');
  return name || 'home';
}
