import type { Database } from '../database/database.ts';
import { listMemberships } from '../database/sql/list-memberships.ts';
import { type Principal, requireScope } from './principal.ts';
import { Project, ProjectMember, type Role } from './project.ts';
import type { User } from './user.ts';

/** Projects that the principal may see, by name. */
export async function listProjects(database: Database, principal: Principal): Promise<Project[]> {
  requireScope(principal, 'read');
  const em = database.em();
  if (principal.isAdmin) return await em.find(Project, {}, { orderBy: { name: 'asc' } });
  const mine = await em.find(ProjectMember, { user: principal.userId! });
  return await em.find(
    Project,
    { $or: [{ visibility: 'public' }, { id: { $in: mine.map((member) => member.project.id) } }] },
    { orderBy: { name: 'asc' } },
  );
}

/** Those that the principal is a member of, in the order of becoming one. */
export async function listOwnProjects(database: Database, principal: Principal): Promise<Project[]> {
  requireScope(principal, 'read');
  if (principal.userId === null) return [];
  const names = await listMemberships(database.sql, principal.userId);
  const projects = await database.em().find(Project, { name: { $in: names } });
  return projects.sort((one, other) => names.indexOf(one.name) - names.indexOf(other.name));
}

export interface Member {
  user: User;
  role: Role;
}

/** null: the principal is neither a member nor an administrator. */
export async function listMembers(
  database: Database,
  principal: Principal,
  project: Project,
): Promise<Member[] | null> {
  requireScope(principal, 'read');
  const members = await database
    .em()
    .find(ProjectMember, { project: project.id }, { populate: ['user'], orderBy: { user: { name: 'asc' } } });
  const rows = members.map((member) => ({ user: member.user as unknown as User, role: member.role }));
  if (!principal.isAdmin && !rows.some(({ user }) => user.id === principal.userId)) return null;
  return rows;
}
