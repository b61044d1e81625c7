import type { Role } from '../../../../domain/identity/project.ts';
import { BkrepoError } from '../errors.ts';
import type { RequestBody } from './body.ts';
import { requireStorable } from './query.ts';

type RoleName = Uppercase<Role>;

/** From little to much; who may do any of these has the role (bkrepo-docker.md 2.3). */
const ACTIONS: readonly [role: RoleName, actions: readonly string[]][] = [
  ['VIEWER', ['READ', 'DOWNLOAD', 'VIEW']],
  ['DEVELOPER', ['WRITE', 'UPDATE', 'DELETE']],
  ['OWNER', ['MANAGE']],
];

export interface PermissionVariables {
  project: string;
  /** Empty: all of the project. */
  repositories: string[];
  grants: { user: string; role: RoleName }[];
}

/** What a permission gives to whom; actions stand beside the users, or with each of them. */
export function permissionOf(body: RequestBody): PermissionVariables {
  const project = body.required('projectId');
  const type = body.oneOf('resourceType', ['PROJECT', 'REPO']) ?? 'REPO';
  const repositories = type === 'REPO' ? body.texts('repos') : [];
  if (type === 'REPO' && repositories.length === 0) throw new BkrepoError('PARAMETER_MISSING', 'repos');
  // Roles of bk-repo's own there are not.
  if (body.list('roles').length > 0) throw new BkrepoError('PARAMETER_INVALID', 'roles');
  const common = body.texts('actions');
  const users = body.list('users');
  if (users.length === 0) throw new BkrepoError('PARAMETER_MISSING', 'users');
  return { project, repositories, grants: users.map((user) => grantOf(user, common)) };
}

function grantOf(user: unknown, common: readonly unknown[]): { user: string; role: RoleName } {
  if (typeof user === 'string') return { user: requireName(user), role: roleOf(common, 'actions') };
  const { id, action } = (typeof user === 'object' && user !== null ? user : {}) as Record<string, unknown>;
  if (typeof id !== 'string' || !Array.isArray(action)) throw new BkrepoError('PARAMETER_INVALID', 'users');
  return { user: requireName(id), role: roleOf(action, 'users') };
}

function requireName(user: string): string {
  requireStorable(user, 'users');
  return user;
}

function roleOf(actions: readonly unknown[], parameter: string): RoleName {
  const known = ACTIONS.flatMap(([, names]) => names) as readonly unknown[];
  if (!actions.every((action) => known.includes(action)))
    throw new BkrepoError('PARAMETER_INVALID', parameter);
  const role = ACTIONS.findLast(([, names]) => names.some((name) => actions.includes(name)));
  if (!role) throw new BkrepoError('PARAMETER_MISSING', parameter);
  return role[0];
}
