import type { Database, Transaction } from '../database/database.ts';
import { findVisibleBuilds } from '../database/sql/image-build-rows.ts';
import { findVisiblePublishedImages } from '../database/sql/published-images.ts';
import { ForbiddenError, NotFoundError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { ProjectMember, ROLES } from '../identity/project.ts';
import type { ImageBuild } from './image-build.ts';
import type { PublishedImage } from './published-image.ts';

/** Throws NotFoundError for a build that the principal must not see: not even its existence is told. */
export async function requireBuildView(
  { sql }: Pick<Database, 'sql'>,
  principal: Principal,
  id: number,
): Promise<ImageBuild> {
  requireScope(principal, 'read');
  const [build] = await findVisibleBuilds(sql, principal, [id]);
  if (!build) throw new NotFoundError(`There is no image build ${id}`);
  return build;
}

/** Throws NotFoundError, as {@link requireBuildView}. */
export async function requirePublishedView(
  { sql }: Pick<Database, 'sql'>,
  principal: Principal,
  id: number,
): Promise<PublishedImage> {
  requireScope(principal, 'read');
  const [image] = await findVisiblePublishedImages(sql, principal, [id]);
  if (!image) throw new NotFoundError(`There is no published image ${id}`);
  return image;
}

/** See {@link requireDeveloper}. */
export async function mayPublish(
  database: Database,
  principal: Principal,
  projectId: number,
): Promise<boolean> {
  try {
    await requireDeveloper({ em: database.em() }, principal, projectId);
    return true;
  } catch (error) {
    if (error instanceof ForbiddenError) return false;
    throw error;
  }
}

/** Who may publish, cancel, retry and delete: developers of the project and administrators. Others see it already. */
export async function requireDeveloper(
  { em }: Pick<Transaction, 'em'>,
  principal: Principal,
  projectId: number,
): Promise<void> {
  requireScope(principal, 'write');
  if (principal.isAdmin) return;
  const member =
    principal.userId === null
      ? null
      : await em.findOne(ProjectMember, { project: projectId, user: principal.userId });
  if (member && ROLES.indexOf(member.role) >= ROLES.indexOf('developer')) return;
  throw new ForbiddenError('Only developers of its project and administrators may change a published image');
}
