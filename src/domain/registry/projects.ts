import type { Transaction } from '../database/database.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ConflictError, ForbiddenError } from '../errors.ts';
import { requireScope } from '../identity/principal.ts';
import { Project, ProjectMember } from '../identity/project.ts';
import { User } from '../identity/user.ts';
import type { RegistryPrincipal } from './access.ts';
import { requireBkrepoProject } from './bkrepo-names.ts';
import { requireManagement } from './management.ts';
import type { Registry } from './registry.ts';

/** Projects as bk-repo's clients make and change them (bkrepo-docker.md 2.2). */
export interface ProjectTexts {
  displayName?: string | undefined;
  description?: string | undefined;
}

/** For everybody who is logged in; the creator becomes its owner. Throws ConflictError, InvalidInputError. */
export async function createNamedProject(
  { database }: Registry,
  principal: RegistryPrincipal,
  { name, displayName, description = '' }: { name: string } & ProjectTexts,
): Promise<Project> {
  requireScope(principal, 'write');
  requireBkrepoProject({ name, displayName });
  const { userId, isAdmin } = principal;
  if (userId === null && !isAdmin) throw new ForbiddenError('A project needs somebody who owns it');
  const taken = `There is a project "${name}" already`;
  const adding = database.transaction(async ({ em }) => {
    if (await em.findOne(Project, { name })) throw new ConflictError(taken);
    const creator = userId === null ? null : em.getReference(User, userId);
    const project = em.create(Project, {
      name,
      visibility: 'private',
      displayName: displayName ?? null,
      description,
      createdBy: creator,
      modifiedBy: creator,
    });
    if (creator !== null) em.create(ProjectMember, { project, user: creator, role: 'owner' });
    return project;
  });
  return await orConflict(taken, adding);
}

/** What is absent stays. For owners and administrators. */
export async function changeNamedProject(
  registry: Registry,
  principal: RegistryPrincipal,
  name: string,
  { displayName, description }: ProjectTexts,
): Promise<Project> {
  requireBkrepoProject({ displayName });
  const { projectId } = await requireManagement(registry, principal, { project: name, name: '' });
  return await registry.database.transaction(async ({ em }) => {
    const project = await em.findOneOrFail(Project, projectId);
    project.displayName = displayName ?? project.displayName;
    project.description = description ?? project.description;
    project.modifiedBy =
      principal.userId === null ? null : (em.getReference(User, principal.userId) as never);
    project.modifiedAt = new Date();
    return project;
  });
}

/**
 * With its repositories and their images only if `forced`. Throws ConflictError; also when requests or published images belong to it,
 * which are never deleted along.
 */
export async function deleteProject(
  registry: Registry,
  principal: RegistryPrincipal,
  name: string,
  { forced = false }: { forced?: boolean } = {},
): Promise<void> {
  const { projectId } = await requireManagement(registry, principal, { project: name, name: '' });
  await registry.database.transaction(async (tx) => {
    await tx.sql.query('select from projects where id = $1 for update', [projectId]);
    const [kept] = await tx.sql.query(
      `select from bundle_requests where project_id = $1
       union all select from published_images where project_id = $1 limit 1`,
      [projectId],
    );
    if (kept || (!forced && (await hasImages(tx, projectId)))) {
      throw new ConflictError(`Project "${name}" is not empty`);
    }
    await tx.sql.query('delete from projects where id = $1', [projectId]);
  });
}

async function hasImages({ sql }: Transaction, projectId: number): Promise<boolean> {
  const [row] = await sql.query(
    `select from manifests m join images i on i.id = m.image_id join repositories r on r.id = i.repository_id
     where r.project_id = $1 limit 1`,
    [projectId],
  );
  return row !== undefined;
}
