import {
  type Grant,
  isGranted,
  lookUp,
  mayUse,
  type RegistryAction,
  type RegistryPrincipal,
} from './access.ts';
import { isImageName, parseImageName } from './image-name.ts';
import type { Registry } from './registry.ts';

/**
 * What a client gets of the scopes that it asks for (oci-registry.md 2): what is permitted just now; no error because
 * something is not. A repository that a push would create counts as permitted, since the push decides.
 */
export async function grantScopes(
  registry: Registry,
  principal: RegistryPrincipal,
  scopes: readonly string[],
): Promise<{ granted: Grant[]; isComplete: boolean }> {
  const asked = scopes.flatMap((scope) => scope.split(' ')).filter(Boolean);
  const granted: Grant[] = [];
  let isComplete = true;
  for (const scope of asked.slice(0, MOST_SCOPES)) {
    const wanted = parseScope(scope);
    const actions = wanted ? await permitted(registry, principal, wanted) : [];
    if (!wanted || actions.length < wanted.actions.length) isComplete = false;
    if (wanted && actions.length > 0) granted.push({ ...wanted, actions });
  }
  return { granted, isComplete };
}

const MOST_SCOPES = 100;

/** `type:name:action,action`; the name may have a port, and so a colon. */
const SCOPE = /^(repository|registry)(?:\([a-z0-9]+\))?:(.+):([a-z*,]*)$/;
const ACTIONS: readonly RegistryAction[] = ['pull', 'push', 'delete'];

function parseScope(text: string): Grant | null {
  const [, type, name, list] = SCOPE.exec(text) ?? [];
  if (!type || !name || list === undefined) return null;
  const words = list.split(',').filter(Boolean);
  if (type === 'registry') return { type, name, actions: words };
  const actions = words.includes('*') ? ACTIONS : ACTIONS.filter((action) => words.includes(action));
  return { type: 'repository', name, actions };
}

async function permitted(
  registry: Registry,
  principal: RegistryPrincipal,
  { type, name, actions }: Grant,
): Promise<string[]> {
  if (type === 'registry') return name === 'catalog' && principal.name !== null ? [...actions] : [];
  if (!isImageName(name)) return [];
  const image = parseImageName(name, registry.settings);
  const answer = await lookUp(registry, principal, image);
  const isUnknown = answer.repositoryId === null;
  return actions.filter((action) => {
    // A token gives no more than it has.
    if (!isGranted(principal, image, action as RegistryAction)) return false;
    if (mayUse(registry, principal, action as RegistryAction, answer)) return true;
    return isUnknown && principal.name !== null && principal.scopes.has(action === 'pull' ? 'read' : 'write');
  });
}
