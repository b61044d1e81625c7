import type { Transaction } from '../database/database.ts';
import { ForbiddenError, NotFoundError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { ProjectMember, ROLES, type Role } from '../identity/project.ts';
import type { BundleRequest } from './bundle-request.ts';

/**
 * Who may see a request: administrators, its submitter, members of its project, everybody if the project is public; a
 * request without a project is visible to every user who is logged in.
 */
export async function requireView(
  { em }: Pick<Transaction, 'em'>,
  principal: Principal,
  request: BundleRequest,
): Promise<void> {
  requireScope(principal, 'read');
  if (principal.isAdmin || request.projectId === null || request.userId === principal.userId) return;
  const membership = await em.findOne(ProjectMember, { project: request.projectId, user: principal.userId! });
  if (membership) return;
  const [project] = await em.execute<{ visibility: string }[]>(
    'select visibility from projects where id = ?',
    [request.projectId],
  );
  // Not even its existence is told.
  if (project?.visibility !== 'public') throw new NotFoundError(`There is no bundle request ${request.id}`);
}

/** Who may cancel or retry: administrators, the submitter, developers of the project. */
export async function requireChange(
  tx: Pick<Transaction, 'em'>,
  principal: Principal,
  request: BundleRequest,
): Promise<void> {
  await requireView(tx, principal, request);
  requireScope(principal, 'write');
  if (principal.isAdmin || (request.userId !== null && request.userId === principal.userId)) return;
  if (request.projectId !== null && (await hasRole(tx, principal, request.projectId, 'developer'))) return;
  throw new ForbiddenError(
    'Only its submitter, developers of its project and administrators may change a request',
  );
}

async function hasRole(
  { em }: Pick<Transaction, 'em'>,
  principal: Principal,
  projectId: number,
  role: Role,
): Promise<boolean> {
  const member = await em.findOne(ProjectMember, { project: projectId, user: principal.userId! });
  return member !== null && ROLES.indexOf(member.role) >= ROLES.indexOf(role);
}
