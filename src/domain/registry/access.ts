import type { RegistryAnonymous } from '../config.ts';
import type { ImageAnswer, ImageQuestion } from '../database/sql/resolve-images.ts';
import type { Principal, Scope } from '../identity/principal.ts';
import { ROLES, type Role } from '../identity/project.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import type { Registry } from './registry.ts';

/**
 * Rights on images (oci-registry.md 2, bkrepo-docker.md 2.3), from little to much: `pull` for members and on what is
 * public, `push` (which includes deleting) for developers, `manage` for owners and administrators. Rights are looked up
 * for each request, so one that is taken away ends at once.
 */
const LEVELS = ['none', 'pull', 'push', 'manage'] as const;
export type Level = (typeof LEVELS)[number];

export type RegistryAction = 'pull' | 'push' | 'delete';

const NEEDED: Record<RegistryAction, Level> = { pull: 'pull', push: 'push', delete: 'push' };
const SCOPE_NEEDED: Record<RegistryAction, Scope> = { pull: 'read', push: 'write', delete: 'write' };

/** What a docker token was given for: its bearer may do no more, even if the user may. */
export interface Grant {
  type: 'repository' | 'registry';
  name: string;
  actions: readonly string[];
}

/** Who asks the registry. `grants` absent: whatever the principal may. */
export interface RegistryPrincipal extends Principal {
  grants?: readonly Grant[];
  /** The run of a build that the credentials were made for: they end with it. */
  build?: BuildRun;
}

export interface BuildRun {
  id: number;
  attempt: number;
}

/** As the name of a grant: each image. */
export const ANY_IMAGE = '*';

/** An image that the principal may use: `imageId` is null when nobody has pushed to it yet. */
export interface AccessedImage extends ImageAnswer {
  image: ImageName;
  repositoryId: number;
  projectId: number;
}

export type Wanted = Partial<Pick<ImageQuestion, 'tag' | 'manifest' | 'blob'>>;

/**
 * Looks the image up, together with what is wanted of it, and decides. Throws `registry-unauthorized` when credentials, or
 * better ones, would help, `registry-denied` when they do not, `name-unknown` when there is no such repository.
 */
export async function requireRegistryAccess(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  action: RegistryAction,
  wanted: Wanted = {},
): Promise<AccessedImage> {
  const answer = await lookUp(registry, principal, image, wanted);
  requireAllowed(registry, principal, image, action, answer);
  if (answer.repositoryId === null || answer.projectId === null) throw unknownName(image);
  return { ...answer, repositoryId: answer.repositoryId, projectId: answer.projectId, image };
}

export async function lookUp(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  wanted: Wanted = {},
): Promise<ImageAnswer> {
  return await registry.lookups.find({
    userId: principal.userId,
    tokenId: principal.tokenId ?? null,
    project: image.project,
    isByName: image.isByName ?? false,
    repository: image.repository,
    path: image.path,
    tag: wanted.tag ?? null,
    manifest: wanted.manifest ?? null,
    blob: wanted.blob ?? null,
  });
}

/** Throws like {@link requireRegistryAccess}, but leaves it to the caller what to do about an unknown repository. */
export function requireAllowed(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  action: RegistryAction,
  answer: ImageAnswer,
): void {
  const { registryAnonymous } = registry.settings;
  if (reaches(anonymousLevel(answer, registryAnonymous), NEEDED[action])) return;
  const isAnonymous = principal.name === null || (principal.userId !== null && !answer.isUserActive);
  if (isAnonymous) throw unauthorized(image, action);
  if (!principal.scopes.has(SCOPE_NEEDED[action])) throw denied(image, action);
  const isKnown = answer.repositoryId !== null;
  if (isKnown && !reaches(levelOf(answer, principal), NEEDED[action])) throw denied(image, action);
  if (!isGranted(principal, image, action)) throw unauthorized(image, action, 'insufficient_scope');
}

/** Rights of the principal itself, whatever its token was made for. */
export function levelOf(answer: ImageAnswer, principal: Principal): Level {
  if (principal.userId === null) return principal.isAdmin ? 'manage' : 'none';
  if (!answer.isUserActive) return 'none';
  if (answer.isAdmin) return 'manage';
  const ofRoles = higher(levelOfRole(answer.projectRole), levelOfRole(answer.repositoryRole));
  // Whoever builds may start from what others have started from.
  return higher(ofRoles, answer.isCopy ? 'pull' : 'none');
}

/** Rights that nobody needs credentials for. */
function anonymousLevel(answer: ImageAnswer, setting: RegistryAnonymous): Level {
  const isPublic = answer.isPublicProject || answer.isPublicRepository;
  return higher(setting, isPublic ? 'pull' : 'none');
}

/** Whether the principal may do this, as far as rights and the scopes of its token go. For names that are only mentioned. */
export function mayUse(
  registry: Registry,
  principal: RegistryPrincipal,
  action: RegistryAction,
  answer: ImageAnswer,
): boolean {
  const needed = NEEDED[action];
  if (reaches(anonymousLevel(answer, registry.settings.registryAnonymous), needed)) return true;
  return principal.scopes.has(SCOPE_NEEDED[action]) && reaches(levelOf(answer, principal), needed);
}

export function reaches(level: Level, needed: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(needed);
}

function higher(one: Level, other: Level): Level {
  return reaches(one, other) ? one : other;
}

function levelOfRole(role: Role | null): Level {
  return role === null ? 'none' : LEVELS[ROLES.indexOf(role) + 1]!;
}

/** Whether a token, if that is what the principal has come with, was made for this. */
export function isGranted({ grants }: RegistryPrincipal, image: ImageName, action: RegistryAction): boolean {
  if (!grants) return true;
  return grants.some(
    (grant) =>
      grant.type === 'repository' &&
      [image.asWritten, image.path, ANY_IMAGE].includes(grant.name) &&
      grant.actions.includes(action),
  );
}

/** What a client must ask a token for (oci-registry.md 2.1). */
const SCOPES: Record<RegistryAction, string> = { pull: 'pull', push: 'pull,push', delete: 'delete' };

function unauthorized(image: ImageName, action: RegistryAction, error?: string): RegistryError {
  return new RegistryError('registry-unauthorized', 'authentication required', {
    details: { scope: `repository:${image.asWritten}:${SCOPES[action]}`, ...(error && { error }) },
  });
}

function denied(image: ImageName, action: RegistryAction): RegistryError {
  return new RegistryError('registry-denied', `these credentials may not ${action} here`, {
    details: { name: image.asWritten, action },
  });
}

export function unknownName(image: ImageName): RegistryError {
  return new RegistryError('name-unknown', 'there is no such repository', {
    details: { name: image.asWritten },
  });
}
