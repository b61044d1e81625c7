import { recordRepositoryEvent } from '../database/sql/record-repository-event.ts';
import { listRepositoryMemberRows, setRepositoryMemberRow } from '../database/sql/repository-members.ts';
import { findRepository, type Repository } from '../database/sql/repository-rows.ts';
import { NotFoundError } from '../errors.ts';
import type { Role } from '../identity/project.ts';
import type { RegistryPrincipal } from './access.ts';
import { mayManage, type RepositoryName, requireManagedRepository } from './management.ts';
import type { Registry } from './registry.ts';

/**
 * Rights on one repository, beside those that members of its project have on all of them (bkrepo-docker.md 2.3). `role`
 * null: none any more. For owners of the repository or project and administrators. Throws NotFoundError for an unknown user.
 */
export async function setRepositoryMember(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  { userName, role }: { userName: string; role: Role | null },
): Promise<Repository> {
  const repositoryId = await requireManagedRepository(registry, principal, repository);
  return await registry.database.transaction(async ({ sql }) => {
    if (!(await setRepositoryMemberRow(sql, { repositoryId, userName, role })))
      throw new NotFoundError(`There is no user "${userName.slice(0, 200)}"`);
    await recordRepositoryEvent(sql, { repositoryId, type: 'changed', data: { fields: ['members'] } });
    return (await findRepository(sql, repositoryId))!;
  });
}

/** By name; null: the principal may not see them. */
export async function listRepositoryMembers(
  registry: Registry,
  principal: RegistryPrincipal,
  { id, project, name }: Pick<Repository, 'id' | 'project' | 'name'>,
): Promise<{ userId: number; role: Role }[] | null> {
  if (!(await mayManage(registry, principal, { project, name }))) return null;
  return await listRepositoryMemberRows(registry.database.sql, id);
}
