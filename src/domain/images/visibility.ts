export { visibilityParameters } from '../bundle-requests/visibility.ts';

/**
 * Who may see what belongs to a project: administrators, its members, every user who is logged in if it is public. A
 * predicate over the column with the project's id, with two parameters: whether the principal is an administrator, and
 * its user id.
 */
export function visibleProject(column: string, administrator: string, user: string): string {
  return `(${administrator}::boolean or (${user}::bigint is not null and (
    exists (select from projects p where p.id = ${column} and p.visibility = 'public')
    or exists (select from project_members m where m.project_id = ${column} and m.user_id = ${user}::bigint))))`;
}
