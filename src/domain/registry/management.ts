import type { ImageAnswer } from '../database/sql/resolve-images.ts';
import { levelOf, lookUp, type RegistryPrincipal, reaches } from './access.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import type { Registry } from './registry.ts';

export interface RepositoryName {
  project: string;
  /** Its name within the project; it need not be there. */
  name: string;
}

/**
 * Who may change repositories themselves: owners of the project (or of the one repository) and administrators
 * (bkrepo-docker.md 2.2). Throws `registry-unauthorized`, `registry-denied`, `name-unknown` for an unknown project.
 */
export async function requireManagement(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
): Promise<ImageAnswer & { projectId: number }> {
  return requireOwner(principal, repository, await lookUpAsUser(registry, principal, repository));
}

/** As {@link requireManagement}; throws `name-unknown` first for an unknown repository (bkrepo-docker.md 1.1). */
export async function requireManagedRepository(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
): Promise<number> {
  const answer = await lookUpAsUser(registry, principal, repository);
  if (answer.projectId !== null && answer.repositoryId === null) {
    const { project, name } = repository;
    throw new RegistryError('name-unknown', `There is no repository "${name}" in "${project}"`, {
      details: { project, repository: name },
    });
  }
  return requireOwner(principal, repository, answer).repositoryId!;
}

async function lookUpAsUser(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
): Promise<ImageAnswer> {
  if (principal.name === null) {
    throw new RegistryError('registry-unauthorized', 'authentication required');
  }
  const answer = await lookUp(registry, principal, imagesOf(repository));
  if (principal.userId !== null && !answer.isUserActive) {
    throw new RegistryError('registry-unauthorized', 'authentication required');
  }
  return answer;
}

function requireOwner(
  principal: RegistryPrincipal,
  { project }: RepositoryName,
  answer: ImageAnswer,
): ImageAnswer & { projectId: number } {
  const { projectId } = answer;
  if (projectId !== null && !reaches(levelOf(answer, principal), 'manage')) throw denied(project);
  if (!principal.scopes.has('write')) throw denied(project);
  if (projectId === null) {
    throw new RegistryError('name-unknown', `There is no project "${project}"`, { details: { project } });
  }
  return { ...answer, projectId };
}

/** Whether the principal may change a repository that is there. */
export async function mayManage(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
): Promise<boolean> {
  return reaches(levelOf(await lookUp(registry, principal, imagesOf(repository)), principal), 'manage');
}

/** A name that no image has: only project and repository are of interest. */
function imagesOf({ project, name }: RepositoryName): ImageName {
  const path = `${project}/${name}/`;
  return { project, repository: name, name: '', path, asWritten: path, isByName: true };
}

function denied(project: string): RegistryError {
  return new RegistryError('registry-denied', `Only owners of "${project}" may do this`, {
    details: { project },
  });
}
