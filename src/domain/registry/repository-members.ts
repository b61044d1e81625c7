import { recordRepositoryEvent } from '../database/sql/record-repository-event.ts';
import {
  listRepositoryMemberRows,
  raiseRoles,
  setRepositoryMemberRow,
} from '../database/sql/repository-members.ts';
import { findRepository, type Repository } from '../database/sql/repository-rows.ts';
import { NotFoundError } from '../errors.ts';
import type { Role } from '../identity/project.ts';
import type { RegistryPrincipal } from './access.ts';
import { mayManage, type RepositoryName, requireManagedRepository, requireManagement } from './management.ts';
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
    if (!(await setRepositoryMemberRow(sql, { repositoryId, userName, role }))) throw unknownUser(userName);
    await recordRepositoryEvent(sql, { repositoryId, type: 'changed', data: { fields: ['members'] } });
    return (await findRepository(sql, repositoryId))!;
  });
}

export interface RoleGrant {
  userName: string;
  role: Role;
}

/**
 * Gives users at least these roles, all of them or none, in the project or (where some are named) in repositories of it, as
 * bk-repo's permissions add up (bkrepo-docker.md 2.3). For owners and administrators. Throws NotFoundError.
 */
export async function grantRoles(
  registry: Registry,
  principal: RegistryPrincipal,
  { project, repositories }: { project: string; repositories: readonly string[] },
  grants: readonly RoleGrant[],
): Promise<void> {
  const ids: number[] = [];
  for (const name of repositories) {
    ids.push(await requireManagedRepository(registry, principal, { project, name }));
  }
  const projectId =
    ids.length > 0 ? 0 : (await requireManagement(registry, principal, { project, name: '' })).projectId;
  await registry.database.transaction(async ({ sql }) => {
    for (const grant of grants) {
      const isThere = await raiseRoles(sql, { projectId, repositoryIds: ids }, grant);
      if (!isThere) throw unknownUser(grant.userName);
    }
    const data = { fields: ['members'] };
    for (const repositoryId of ids) await recordRepositoryEvent(sql, { repositoryId, type: 'changed', data });
  });
}

function unknownUser(name: string): NotFoundError {
  return new NotFoundError(`There is no user "${name.slice(0, 200)}"`, { details: { user: name } });
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
