import type { Transaction } from '../database/database.ts';
import { hasManifests, listImagesOfRepository } from '../database/sql/image-rows.ts';
import { recordRepositoryEvent } from '../database/sql/record-repository-event.ts';
import { recordImageEvent } from '../database/sql/registry-manifests.ts';
import {
  findRepository,
  insertRepository,
  REPOSITORY_CATEGORIES,
  REPOSITORY_TYPES,
  type Repository,
  type RepositoryValues,
  updateRepository,
} from '../database/sql/repository-rows.ts';
import { setRepositoryRetention } from '../database/sql/retention.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ConflictError, InvalidInputError } from '../errors.ts';
import type { RegistryPrincipal } from './access.ts';
import { rulesInConfiguration } from './cleanup-strategy.ts';
import { type RepositoryName, requireManagedRepository, requireManagement } from './management.ts';
import type { Registry } from './registry.ts';
import { requireRules } from './retention.ts';
import type { RetentionRules } from './retention-rules.ts';

export type NewRepository = RepositoryName & Partial<RepositoryValues>;
export type RepositoryChanges = Partial<Omit<RepositoryValues, 'type' | 'category'>>;

/** What bk-repo allows, and nothing that could not stand in a path. */
const REPOSITORY_NAME = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,63}$/;
const LONGEST_DESCRIPTION = 200;

/** For owners of the project and administrators. Throws InvalidInputError, ConflictError, RegistryError. */
export async function createRepository(
  registry: Registry,
  principal: RegistryPrincipal,
  { project, name, ...values }: NewRepository,
): Promise<Repository> {
  if (!REPOSITORY_NAME.test(name)) {
    throw new InvalidInputError(`"${name.slice(0, 70)}" is not a valid repository name`);
  }
  requireValid(values);
  const asked = rulesInConfiguration(values.configuration);
  const { projectId } = await requireManagement(registry, principal, { project, name });
  const rules = asked && (await requireCleanup(registry, asked));
  const { userId } = principal;
  const adding = registry.database.transaction(async (tx) => {
    const id = await insertRepository(tx.sql, { ...DEFAULTS, ...values, projectId, name, userId });
    if (rules) await setRepositoryRetention(tx.sql, { repositoryId: id, rules, userId });
    return await recorded(tx, id, 'created', { project, name });
  });
  return await orConflict(`There is a repository "${name}" in "${project}" already`, adding);
}

const DEFAULTS: RepositoryValues = {
  type: 'DOCKER',
  category: 'LOCAL',
  isPublic: false,
  displayName: null,
  description: '',
  configuration: null,
  quota: null,
};

/** What is absent stays. */
export async function changeRepository(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  changes: RepositoryChanges,
): Promise<Repository> {
  requireValid(changes);
  const asked = rulesInConfiguration(changes.configuration);
  const id = await requireManagedRepository(registry, principal, repository);
  const rules = asked && (await requireCleanup(registry, asked));
  const { userId } = principal;
  return await registry.database.transaction(async (tx) => {
    await updateRepository(tx.sql, id, changes, userId);
    const fields = Object.keys(changes);
    if (rules === undefined) return await recorded(tx, id, 'changed', { fields });
    await setRepositoryRetention(tx.sql, { repositoryId: id, rules, userId });
    return await recorded(tx, id, 'changed', { fields: [...fields, 'retention'] });
  });
}

/** bk-repo's clients set retention rules in the configuration (bkrepo-docker.md 2.2). */
async function requireCleanup({ database }: Registry, rules: RetentionRules): Promise<RetentionRules> {
  try {
    return await requireRules(database, rules);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(error.message, { details: { parameter: 'cleanupStrategy' } });
  }
}

/**
 * With its images only if `forced` (bkrepo-docker.md 2.2), whose bytes are collected later. Throws ConflictError. Returns
 * what it was.
 */
export async function deleteRepository(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  { forced = false }: { forced?: boolean } = {},
): Promise<Repository> {
  const id = await requireManagedRepository(registry, principal, repository);
  return await registry.database.transaction(async (tx) => {
    const deleted = await recorded(tx, id, 'deleted', repository);
    for (const image of await listImagesOfRepository(tx.sql, id)) {
      // Taking the image's row waits for a push that is just being committed.
      const { userId } = principal;
      const data = { path: image.path };
      await recordImageEvent(tx.sql, { imageId: image.id, type: 'image-deleted', data, userId });
      if (!forced && (await hasManifests(tx.sql, image.id))) {
        throw new ConflictError(`Repository "${repository.name}" is not empty`);
      }
    }
    await tx.sql.query('delete from repositories where id = $1', [id]);
    return deleted;
  });
}

async function recorded(
  { sql }: Pick<Transaction, 'sql'>,
  repositoryId: number,
  type: 'created' | 'changed' | 'deleted',
  data: object,
): Promise<Repository> {
  await recordRepositoryEvent(sql, { repositoryId, type, data });
  return (await findRepository(sql, repositoryId))!;
}

function requireValid(values: Partial<RepositoryValues>): void {
  const { type, category, description, displayName, quota } = values;
  if (type !== undefined && !REPOSITORY_TYPES.includes(type)) {
    throw new InvalidInputError(`"${type}" is not a type of repository`);
  }
  if (category !== undefined && !REPOSITORY_CATEGORIES.includes(category)) {
    throw new InvalidInputError(`"${category}" is not a category of repository`);
  }
  for (const [field, text] of Object.entries({ description, displayName })) {
    if (text && text.length > LONGEST_DESCRIPTION) {
      throw new InvalidInputError(`${field} has more than ${LONGEST_DESCRIPTION} characters`);
    }
  }
  if (quota != null && !(Number.isSafeInteger(quota) && quota >= 0)) {
    throw new InvalidInputError('The quota must be a number of bytes');
  }
}
