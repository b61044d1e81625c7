import type { Reader } from '../database/sql/readable-repositories.ts';
import type { ImageAnswer } from '../database/sql/resolve-images.ts';
import { lookUp, type RegistryPrincipal, reaches } from './access.ts';
import { parseImageName } from './image-name.ts';
import type { Registry } from './registry.ts';

/** What of all repositories a principal reads, for lists and searches. */
export function readerOf(
  { settings }: Pick<Registry, 'settings'>,
  principal: RegistryPrincipal,
  { isAdmin, isUserActive }: Pick<ImageAnswer, 'isAdmin' | 'isUserActive'>,
): Reader {
  const mayRead = principal.scopes.has('read');
  const isAdministrator = principal.userId === null ? principal.isAdmin : isAdmin;
  return {
    userId: mayRead && isUserActive ? principal.userId : null,
    readsAll: reaches(settings.registryAnonymous, 'pull') || (mayRead && isAdministrator),
  };
}

/** The same, where nothing is known of the principal yet. */
export async function findReader(registry: Registry, principal: RegistryPrincipal): Promise<Reader> {
  // Only of interest for who asks: any name does.
  const who = await lookUp(registry, principal, parseImageName('x', registry.settings));
  return readerOf(registry, principal, who);
}
