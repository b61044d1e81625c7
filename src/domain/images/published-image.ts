import { createHash } from 'node:crypto';
import { InvalidInputError } from '../errors.ts';
import { isTag } from '../registry/reference.ts';
import type { ImageBuild } from './image-build.ts';

/** What users publish versions of. The registry keeps it under `path`. */
export interface PublishedImage {
  id: number;
  projectId: number;
  projectName: string;
  repository: string;
  /** Exactly as its maker wrote it: case counts. */
  name: string;
  /** `project/repository/name`, each as the registry calls it. */
  path: string;
  createdById: number | null;
  createdAt: Date;
}

export interface PublishedVersion {
  id: number;
  imageId: number;
  /** The tag. */
  name: string;
  /** Of the last publication. */
  publishedAt: Date;
  /** The newest one: its state is that of the version. */
  build: ImageBuild;
}

/** How users name an image to publish. */
export interface PublishedName {
  projectName: string;
  repository: string;
  name: string;
}

export const DEFAULT_REPOSITORY = 'images';
const NAME = /^[A-Za-z0-9\-_]+$/;
const LONGEST_NAME = 100;

/** Whether there may be an image of this name at all. */
export function canBePublished(name: string): boolean {
  return name.length <= LONGEST_NAME && NAME.test(name);
}

/** The grammar of fandogh.md 1.5. Throws InvalidInputError. */
export function requirePublishedName(name: string): void {
  if (name === '') throw new InvalidInputError('An image needs a name');
  if (name.length > LONGEST_NAME) {
    throw new InvalidInputError(`The name of an image has at most ${LONGEST_NAME} characters`);
  }
  if (!NAME.test(name)) {
    throw new InvalidInputError('The name of an image consists of letters, digits, "-" and "_"');
  }
}

/** Throws InvalidInputError. */
export function requireVersionName(name: string): void {
  if (!isTag(name)) {
    throw new InvalidInputError(
      `"${name.slice(0, 130)}" is not a valid version: letters, digits, "_", "." and "-", at most 128, not beginning with "." or "-"`,
    );
  }
}

/** `name`, `project/name` or `project/repository/name`, each with `:tag` or without. Throws InvalidInputError. */
export function parseTarget(text: string, defaultProject: string): PublishedName & { version: string } {
  const colon = text.indexOf(':', text.lastIndexOf('/') + 1);
  const version = colon < 0 ? 'latest' : text.slice(colon + 1);
  const components = (colon < 0 ? text : text.slice(0, colon)).split('/');
  if (components.length > 3 || components.includes('')) {
    throw new InvalidInputError(
      `"${text.slice(0, 200)}" is not a name like NAME[:TAG], PROJECT/NAME[:TAG] or PROJECT/REPOSITORY/NAME[:TAG]`,
    );
  }
  const name = components.at(-1)!;
  requirePublishedName(name);
  requireVersionName(version);
  const [projectName = defaultProject, repository = DEFAULT_REPOSITORY] = components.slice(0, -1);
  return { projectName, repository, name, version };
}

const COMPONENT = /^[a-z0-9]+(?:(?:\.|__|_|-+)[a-z0-9]+)*$/;
const LONGEST_REPOSITORY = 64;

/** Names of repositories are not mapped. Throws InvalidInputError. */
export function requireRepositoryOfPath(repository: string): void {
  if (repository.length <= LONGEST_REPOSITORY && COMPONENT.test(repository)) return;
  throw new InvalidInputError(
    `Images cannot be published to the repository "${repository.slice(0, 80)}": it cannot stand in the name of an image`,
  );
}

/** Hexadecimal digits of the name's hash, tried in this order: the first that is free is taken. */
const HASH_LENGTHS = [8, 16, 64] as const;

/** What the image may be called in the registry, best first (fandogh.md 1.10). */
export function mappedNames(name: string): string[] {
  const hash = createHash('sha256').update(name).digest('hex');
  const slug =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'image';
  const hashed = HASH_LENGTHS.map((length) => `${slug}-x${hash.slice(0, length)}`);
  return COMPONENT.test(name) ? [name, ...hashed] : hashed;
}
