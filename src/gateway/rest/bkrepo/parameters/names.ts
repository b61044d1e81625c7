import type { FastifyRequest } from 'fastify';
import { BkrepoError } from '../errors.ts';
import { requiredText, requireStorable } from './query.ts';

/** As the operations take it. */
export interface RepositoryVariables {
  project: string;
  repository: string;
}

export interface ImageVariables extends RepositoryVariables {
  image: string;
}

export function repositoryOf(request: FastifyRequest): RepositoryVariables {
  const { projectId: project, repoName: repository } = request.params as Record<string, string>;
  requireStorable(project!, 'projectId');
  requireStorable(repository!, 'repoName');
  return { project: project!, repository: repository! };
}

/** As the mutations of the schema take it. */
export function repositoryIdOf(request: FastifyRequest): { project: string; name: string } {
  const { project, repository: name } = repositoryOf(request);
  return { project, name };
}

export function projectOf(request: FastifyRequest): string {
  const { projectId } = request.params as { projectId: string };
  requireStorable(projectId, 'projectId');
  return projectId;
}

/** The image is everything behind the repository (bkrepo-docker.md 0.6). */
export function imageOf(request: FastifyRequest): ImageVariables {
  return { ...repositoryOf(request), image: restOf(request) };
}

/** The image is everything between the repository and the last segment. */
export function imageAndLastOf(request: FastifyRequest, lastName: string): ImageVariables & { last: string } {
  const rest = restOf(request);
  const slash = rest.lastIndexOf('/');
  if (slash <= 0) throw noSuchUrl(request);
  const last = rest.slice(slash + 1);
  requireStorable(last, lastName);
  return { ...repositoryOf(request), image: rest.slice(0, slash), last };
}

/** The image that `packageKey` names. */
export function packageOf(request: FastifyRequest): ImageVariables {
  return { ...repositoryOf(request), image: imageOfKey(requiredText(request, 'packageKey')) };
}

/** `docker://name`, `oci://name`, or the name alone (bkrepo-docker.md 1.6). */
export function imageOfKey(key: string): string {
  const image = key.replace(/^(?:docker|oci):\/\//, '');
  if (image === '') throw new BkrepoError('PARAMETER_INVALID', 'packageKey');
  return image;
}

function restOf(request: FastifyRequest): string {
  const rest = (request.params as { '*': string })['*'];
  if (rest === '') throw noSuchUrl(request);
  requireStorable(rest, 'name');
  return rest;
}

function noSuchUrl({ url }: FastifyRequest): BkrepoError {
  return new BkrepoError('URL_NOT_FOUND', url.split('?', 1)[0]!.slice(0, 500));
}
