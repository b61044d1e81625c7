import type { Transaction } from '../database/database.ts';
import { findVisibleRequests } from '../database/sql/list-requests.ts';
import { ForbiddenError, NotFoundError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { ProjectMember, ROLES, type Role } from '../identity/project.ts';
import type { BundleRequest } from './bundle-request.ts';

/** Throws NotFoundError for a request that the principal must not see: not even its existence is told. */
export async function requireView(
  { sql }: Pick<Transaction, 'sql'>,
  principal: Principal,
  { id }: Pick<BundleRequest, 'id'>,
): Promise<BundleRequest> {
  requireScope(principal, 'read');
  const [request] = await findVisibleRequests(sql, principal, [id]);
  if (!request) throw new NotFoundError(`There is no bundle request ${id}`);
  return request;
}

/** Who may cancel or retry: administrators, the submitter, developers of the project. */
export async function requireChange(
  tx: Transaction,
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
