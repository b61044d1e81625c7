import type { Principal } from '../identity/principal.ts';

/**
 * Who may see a request: administrators, its submitter, members of its project, everybody if the project is public; a
 * request without a project is visible to every user who is logged in, and to everybody if it was made under Cachito's
 * rules, whose reads are anonymous (cachito.md 1.2). A predicate over `bundle_requests r` with two parameters: whether
 * the principal is an administrator, and its user id.
 */
export function visibleTo(administrator: string, user: string): string {
  return `(${visibleByProject(administrator, user)} or r.user_id = ${user}::bigint)`;
}

/** The same but for its submitter, who sees it whatever its project: needs the columns `project_id` and `rules` only. */
export function visibleByProject(administrator: string, user: string): string {
  return `(${administrator}::boolean
    or (r.project_id is null and (r.rules = 'cachito' or ${user}::bigint is not null))
    or (${user}::bigint is not null
      and exists (select from projects p where p.id = r.project_id and p.visibility = 'public'))
    or exists (select from project_members m where m.project_id = r.project_id and m.user_id = ${user}::bigint))`;
}

export function visibilityParameters(principal: Principal): [administrator: boolean, userId: number | null] {
  return [principal.isAdmin, principal.userId];
}
