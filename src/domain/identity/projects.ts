import type { Database, Transaction } from '../database/database.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { type Principal, requireScope } from './principal.ts';
import { Project, ProjectMember, ROLES, type Role } from './project.ts';
import { User } from './user.ts';

/** Lower-case, so that it can stand in an image name later. */
const PROJECT_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/;

/** The creator becomes its owner. */
export async function createProject(
  database: Database,
  principal: Principal,
  input: { name: string; visibility?: 'private' | 'public' },
): Promise<Project> {
  requireScope(principal, 'write');
  if (!PROJECT_NAME.test(input.name))
    throw new InvalidInputError(`"${input.name}" is not a valid project name`);
  const taken = `There is a project "${input.name}" already`;
  const adding = database.transaction(async ({ em }) => {
    if (await em.findOne(Project, { name: input.name })) throw new ConflictError(taken);
    const project = em.create(Project, { name: input.name, visibility: input.visibility ?? 'private' });
    if (principal.userId !== null) {
      em.create(ProjectMember, { project, user: em.getReference(User, principal.userId), role: 'owner' });
    }
    return project;
  });
  return await orConflict(taken, adding);
}

/** Adds a member or changes its role. Only owners and administrators may. */
export async function setProjectMember(
  database: Database,
  principal: Principal,
  input: { projectName: string; userName: string; role: Role },
): Promise<Project> {
  requireScope(principal, 'write');
  return await database.transaction(async (tx) => {
    const projectId = await requireProjectRole(tx, principal, input.projectName, 'owner');
    const user = await tx.em.findOne(User, { name: input.userName });
    if (!user) throw new NotFoundError(`There is no user "${input.userName}"`);
    await tx.em.upsert(ProjectMember, {
      project: tx.em.getReference(Project, projectId),
      user,
      role: input.role,
      createdAt: new Date(),
    });
    return await tx.em.findOneOrFail(Project, projectId);
  });
}

/** Who is none stays none. Only owners and administrators may. */
export async function removeProjectMember(
  database: Database,
  principal: Principal,
  input: { projectName: string; userName: string },
): Promise<Project> {
  requireScope(principal, 'write');
  return await database.transaction(async (tx) => {
    const projectId = await requireProjectRole(tx, principal, input.projectName, 'owner');
    const user = await tx.em.findOne(User, { name: input.userName });
    if (!user) throw new NotFoundError(`There is no user "${input.userName}"`);
    await tx.em.nativeDelete(ProjectMember, { project: projectId, user: user.id });
    return await tx.em.findOneOrFail(Project, projectId);
  });
}

/**
 * The project's id, if the principal has at least this role in it. A private project of others looks like one that does
 * not exist.
 */
export async function requireProjectRole(
  { em }: Pick<Transaction, 'em'>,
  principal: Principal,
  projectName: string,
  role: Role,
): Promise<number> {
  const project = await em.findOne(Project, { name: projectName });
  const missing = new NotFoundError(`There is no project "${projectName}"`);
  if (!project) throw missing;
  if (principal.isAdmin) return project.id;
  const member =
    principal.userId === null ? null : await em.findOne(ProjectMember, { project, user: principal.userId });
  if (!member && project.visibility === 'private') throw missing;
  const has = member ? ROLES.indexOf(member.role) : ROLES.indexOf('viewer');
  if (has < ROLES.indexOf(role))
    throw new ForbiddenError(`This needs the role "${role}" in "${projectName}"`);
  return project.id;
}
