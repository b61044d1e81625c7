import type { Reader } from '../database/sql/readable-repositories.ts';
import type { ImageAnswer } from '../database/sql/resolve-images.ts';
import { type RegistryPrincipal, reaches } from './access.ts';
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
