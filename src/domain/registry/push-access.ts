import { ensureImage, ensureProject, ensureRepository } from '../database/sql/ensure-image.ts';
import type { ImageAnswer } from '../database/sql/resolve-images.ts';
import {
  type AccessedImage,
  levelOf,
  lookUp,
  type RegistryPrincipal,
  reaches,
  requireAllowed,
  unknownName,
} from './access.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import type { Registry } from './registry.ts';

/** An image that can be pushed to. */
export interface PushedImage extends AccessedImage {
  imageId: number;
}

/** Categories whose images come from elsewhere. */
const FILLED_FROM_ELSEWHERE = new Set(['REMOTE', 'PROXY', 'VIRTUAL']);

/**
 * The image, made if it is not there yet. Repository and project are made too where that is switched on and the principal
 * could make them by hand (bkrepo-docker.md 2.2): the repository by who may manage the project, the project by
 * administrators; anybody where anybody may push. Throws as {@link requireAllowed}, `name-unknown`, `upload-refused`.
 */
export async function requirePushAccess(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
): Promise<PushedImage> {
  const answer = await lookUp(registry, principal, image);
  requireAllowed(registry, principal, image, 'push', answer);
  if (answer.category !== null && FILLED_FROM_ELSEWHERE.has(answer.category)) {
    throw new RegistryError('upload-refused', `repository ${image.repository} takes no uploads`);
  }
  const { projectId, repositoryId, imageId } = answer;
  if (projectId !== null && repositoryId !== null && imageId !== null) {
    return { ...answer, projectId, repositoryId, imageId, image };
  }
  if (repositoryId === null && !mayCreate(registry, principal, answer)) throw unknownName(image);
  return { ...answer, ...(await create(registry, principal, answer, image)), image };
}

/** Whether it would be let in, before anything is read or made. Throws as {@link requireAllowed}. */
export async function requireMayPush(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
): Promise<void> {
  requireAllowed(registry, principal, image, 'push', await lookUp(registry, principal, image));
}

function mayCreate(registry: Registry, principal: RegistryPrincipal, answer: ImageAnswer): boolean {
  const { registryAutoCreate, registryAnonymous } = registry.settings;
  if (!registryAutoCreate) return false;
  if (registryAnonymous === 'push') return true;
  // Without a project only administrators have rights at all.
  return reaches(levelOf(answer, principal), 'manage');
}

async function create(
  { database }: Registry,
  { userId }: RegistryPrincipal,
  answer: ImageAnswer,
  image: ImageName,
): Promise<{ projectId: number; repositoryId: number; imageId: number }> {
  const { project, repository, name, path } = image;
  if (project.length > LONGEST_PROJECT || repository.length > LONGEST_REPOSITORY) {
    throw new RegistryError(
      'name-invalid',
      `the project or repository of "${image.asWritten}" has a too long name`,
    );
  }
  return await database.transaction(async ({ sql }) => {
    const projectId = answer.projectId ?? (await ensureProject(sql, project, userId));
    if (projectId === null) throw unknownName(image);
    const repositoryId =
      answer.repositoryId ?? (await ensureRepository(sql, { projectId, name: repository, userId }));
    const imageId = await ensureImage(sql, { repositoryId, name, path, userId });
    return { projectId, repositoryId, imageId };
  });
}

const LONGEST_PROJECT = 100;
const LONGEST_REPOSITORY = 64;
