import type { ImageAnswer } from '../database/sql/resolve-images.ts';
import { lookUp, type RegistryAction, type RegistryPrincipal, requireAllowed } from './access.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import type { RepositoryName } from './management.ts';
import type { Registry } from './registry.ts';

export interface AccessedRepository extends ImageAnswer {
  projectId: number;
  repositoryId: number;
}

/** What an action is called where rights are listed (bkrepo-docker.md 2.3). */
const PERMISSIONS: Record<RegistryAction, 'READ' | 'WRITE'> = {
  pull: 'READ',
  push: 'WRITE',
  delete: 'WRITE',
};

/**
 * Looks the repository up and decides, before anything is said about what is in it: `registry-unauthorized` for those who
 * should log in, then `name-unknown`, then `registry-denied`, both with the names in their details.
 */
export async function requireRepositoryAccess(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  action: RegistryAction,
): Promise<AccessedRepository> {
  const { project, name } = repository;
  const image = imageIn(repository, '');
  const answer = await lookUp(registry, principal, image);
  const { projectId, repositoryId } = answer;
  const isDenied = !isAllowed(registry, principal, image, action, answer);
  if (repositoryId === null || projectId === null) {
    throw new RegistryError('name-unknown', `There is no repository "${name}" in "${project}"`, {
      details: { project, repository: name },
    });
  }
  if (isDenied) {
    throw new RegistryError('registry-denied', `This needs the permission ${PERMISSIONS[action]}`, {
      details: { project, repository: name, permission: PERMISSIONS[action] },
    });
  }
  return { ...answer, projectId, repositoryId };
}

/** Throws `registry-unauthorized`. */
function isAllowed(...question: Parameters<typeof requireAllowed>): boolean {
  try {
    requireAllowed(...question);
    return true;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'registry-denied') return false;
    throw error;
  }
}

/** Any name at all: one that the rules of images do not allow is simply not there (bkrepo-docker.md 0.6). */
export function imageIn({ project, name }: RepositoryName, image: string): ImageName {
  const path = `${project}/${name}/${image}`;
  return { project, repository: name, name: image, path, asWritten: path, isByName: true };
}
