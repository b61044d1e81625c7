import {
  countRepositoryIds,
  listRepositoryIds,
  type RepositoryIdFilter,
} from '../database/sql/named-repositories.ts';
import {
  findReadableRepositories,
  findRepository,
  type Repository,
} from '../database/sql/repository-rows.ts';
import { requireScope } from '../identity/principal.ts';
import { lookUp, type RegistryPrincipal } from './access.ts';
import { type NumberedPage, offsetOf, type PageOf } from './image-packages.ts';
import type { RepositoryName } from './management.ts';
import { findReader } from './reader.ts';
import type { Registry } from './registry.ts';
import { imageIn, requireRepositoryAccess } from './repository-access.ts';

/** Repositories as bk-repo's clients look for them: by exact name, in numbered pages. */

/** Throws as {@link requireRepositoryAccess}. */
export async function findNamedRepository(
  registry: Registry,
  principal: RegistryPrincipal,
  name: RepositoryName,
): Promise<Repository> {
  const { repositoryId } = await requireRepositoryAccess(registry, principal, name, 'pull');
  return (await findRepository(registry.database.sql, repositoryId))!;
}

/** Those of a project that the principal may read, by name. */
export async function listNamedRepositories(
  registry: Registry,
  principal: RegistryPrincipal,
  filter: RepositoryIdFilter,
  page: NumberedPage,
): Promise<PageOf<Repository>> {
  requireScope(principal, 'read');
  const { sql } = registry.database;
  const reader = await findReader(registry, principal);
  const ids = await listRepositoryIds(sql, reader, filter, offsetOf(page));
  const rows = new Map((await findReadableRepositories(sql, reader, ids)).map((row) => [row.id, row]));
  return {
    total: await countRepositoryIds(sql, reader, filter),
    rows: ids.flatMap((id) => rows.get(id) ?? []),
  };
}

/** Whoever is logged in may know which names are taken. */
export async function isNameTaken(
  registry: Registry,
  principal: RegistryPrincipal,
  { project, repository }: { project: string; repository: string | null },
): Promise<boolean> {
  requireScope(principal, 'read');
  const answer = await lookUp(registry, principal, imageIn({ project, name: repository ?? '' }, ''));
  return (repository === null ? answer.projectId : answer.repositoryId) !== null;
}
