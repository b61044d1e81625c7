import type { Settings } from '../config.ts';
import { RegistryError } from './errors.ts';

/** Where an image lies, and how the client called it (oci-registry.md 1). */
export interface ImageName {
  /** As paths of images call it. */
  project: string;
  repository: string;
  /** One or more components. */
  name: string;
  /** All three: unique in the registry. */
  path: string;
  /** What answers repeat. */
  asWritten: string;
  /** The project is called by its name instead, in `path` too. */
  isByName?: true;
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|__|_|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const MOST_CHARACTERS = 255;

export function isImageName(text: string): boolean {
  return text.length <= MOST_CHARACTERS && NAME.test(text);
}

type Defaults = Pick<Settings, 'registryDefaultProject' | 'registryDefaultRepository'>;

/** Throws `name-invalid`. Names of one and two components fall into the defaults. */
export function parseImageName(text: string, defaults: Defaults): ImageName {
  if (!isImageName(text)) {
    throw new RegistryError(
      'name-invalid',
      `"${text.slice(0, MOST_CHARACTERS)}" is not the name of an image`,
    );
  }
  const components = text.split('/');
  const name = components.splice(Math.min(components.length - 1, 2)).join('/');
  const [project = defaults.registryDefaultProject, repository = defaults.registryDefaultRepository] =
    components;
  return { project, repository, name, path: `${project}/${repository}/${name}`, asWritten: text };
}
