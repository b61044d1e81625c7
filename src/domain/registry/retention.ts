import { isDeepStrictEqual } from 'node:util';
import type { Database } from '../database/database.ts';
import { recordRepositoryEvent } from '../database/sql/record-repository-event.ts';
import { deleteTag, lockImage, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { findRepository } from '../database/sql/repository-rows.ts';
import {
  findInvalidPattern,
  findRetiredTags,
  isTagUnmoved,
  type RetiredTag,
  repositoriesWithRules,
  setRepositoryConfiguration,
  setRepositoryRetention,
} from '../database/sql/retention.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { InvalidInputError } from '../errors.ts';
import type { RegistryPrincipal } from './access.ts';
import { rulesInConfiguration, withoutCleanupStrategy } from './cleanup-strategy.ts';
import { type RepositoryName, requireManagedRepository } from './management.ts';
import type { Registry } from './registry.ts';
import { parseRetentionRules, type RetentionRules, retiresTags } from './retention-rules.ts';

/** For owners and administrators. `rules` null: everything that has a tag stays. Throws InvalidInputError. */
export async function setRetention(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  rules: unknown,
): Promise<RetentionRules | null> {
  const repositoryId = await requireManagedRepository(registry, principal, repository);
  const parsed = rules === null ? null : await requireRules(registry.database, rules);
  await registry.database.transaction(async ({ sql }) => {
    await setRepositoryRetention(sql, { repositoryId, rules: parsed, userId: principal.userId });
    await dropOtherStrategy(sql, repositoryId, parsed);
    await recordRepositoryEvent(sql, { repositoryId, type: 'changed', data: { fields: ['retention'] } });
  });
  return parsed;
}

/** What the configuration says of clean-up is shown to bk-repo's clients, who write it back: it must be what is so. */
async function dropOtherStrategy(
  sql: SqlExecutor,
  repositoryId: number,
  rules: RetentionRules | null,
): Promise<void> {
  const configuration = (await findRepository(sql, repositoryId))?.configuration as object | null | undefined;
  const said = rulesInConfiguration(configuration);
  if (!configuration || said === undefined || isDeepStrictEqual(said, rules)) return;
  await setRepositoryConfiguration(sql, repositoryId, withoutCleanupStrategy(configuration));
}

/** What rules would remove if they were set: nothing is changed. For owners and administrators. */
export async function previewRetention(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  rules: unknown,
): Promise<RetiredTag[]> {
  const repositoryId = await requireManagedRepository(registry, principal, repository);
  return await retiredTagsOf(registry.database, repositoryId, await requireRules(registry.database, rules));
}

/** Tags that the rules of their repositories do not keep. */
export async function* retiredTags(database: Database): AsyncGenerator<RetiredTag[]> {
  for (const { id, retention } of await repositoriesWithRules(database.sql)) {
    const tags = await retiredTagsOf(database, id, retention);
    if (tags.length > 0) yield tags;
  }
}

/** False: somebody has pushed it again, or removed it, since. */
export async function retireTag(database: Database, retired: RetiredTag): Promise<boolean> {
  const { imageId, tag, digest } = retired;
  return await database.transaction(async ({ sql }) => {
    if (!(await lockImage(sql, imageId)) || !(await isTagUnmoved(sql, retired))) return false;
    const data = { tag, digest, reason: 'retention' };
    await recordImageEvent(sql, { imageId, type: 'tag-deleted', data, userId: null });
    return (await deleteTag(sql, imageId, tag)) !== null;
  });
}

/** Patterns that take for ever are ended. */
const DEADLINE = '30s';

async function retiredTagsOf(
  database: Database,
  repositoryId: number,
  rules: RetentionRules,
): Promise<RetiredTag[]> {
  if (!retiresTags(rules)) return [];
  return await database.transaction(async ({ sql }) => {
    await sql.query(`set local statement_timeout = '${DEADLINE}'`);
    return await findRetiredTags(sql, repositoryId, rules);
  });
}

/** Throws InvalidInputError. */
export async function requireRules(database: Database, value: unknown): Promise<RetentionRules> {
  const rules = parseRetentionRules(value);
  const wrong = await findInvalidPattern(database.sql, [...(rules.images ?? []), ...(rules.keepTags ?? [])]);
  if (wrong !== null) throw new InvalidInputError(`"${wrong}" is not a regular expression`);
  return rules;
}
