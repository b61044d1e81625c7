import { listReadableImages } from '../database/sql/readable-repositories.ts';
import { listImageReferrers, listImageTags, type ReferrerRow } from '../database/sql/registry-lists.ts';
import {
  lookUp,
  type RegistryPrincipal,
  reaches,
  requireAllowed,
  requireRegistryAccess,
  unknownName,
} from './access.ts';
import { RegistryError } from './errors.ts';
import { type ImageName, parseImageName } from './image-name.ts';
import { readerOf } from './reader.ts';
import type { Address } from './reference.ts';
import type { Registry } from './registry.ts';

/** Which part of a list: `limit` null means as much as there is, up to a cap. */
export interface Page {
  after: string | null;
  limit: number | null;
}

export interface Listed<T> {
  items: T[];
  /** Where the next page begins; null: there is none. */
  next: string | null;
}

/** In answers without `n`: enough for any client that reads a whole list at once. */
const MOST_ITEMS = 100_000;
/** Lists of referrers are read by clients as if they were manifests, whose size they limit. */
const MOST_REFERRERS = 1_000;
const MOST_REFERRER_BYTES = 3 * 1024 * 1024;

/** By code point (oci-registry.md 7). Throws `name-unknown` for an image that nobody has pushed to. */
export async function listTags(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  page: Page,
): Promise<Listed<string>> {
  const { imageId } = await requireRegistryAccess(registry, principal, image, 'pull');
  if (imageId === null) throw unknownName(image);
  return await paged(page, async (after, limit) => {
    const tags = await listImageTags(registry.database.sql, imageId, { after: storable(after), limit });
    if (tags === null) throw unknownName(image);
    return tags;
  });
}

/** Full names of the images that the principal may read (oci-registry.md 7). */
export async function listImages(
  registry: Registry,
  principal: RegistryPrincipal,
  page: Page,
  filter: { project: string | null; repository: string | null } = { project: null, repository: null },
): Promise<Listed<string>> {
  const { registryAnonymous } = registry.settings;
  const isOpen = reaches(registryAnonymous, 'pull');
  const isGranted = !principal.grants || principal.grants.some((grant) => grant.type === 'registry');
  if (!isOpen && (principal.name === null || !isGranted)) {
    throw new RegistryError('registry-unauthorized', 'authentication required', {
      details: {
        scope: 'registry:catalog:*',
        ...(principal.name !== null && { error: 'insufficient_scope' }),
      },
    });
  }
  // Only of interest for who asks: any name does.
  const who = await lookUp(registry, principal, parseImageName('x', registry.settings));
  const reader = readerOf(registry, principal, who);
  return await paged(page, (after, limit) =>
    listReadableImages(registry.database.sql, reader, {
      after: storable(after),
      limit,
      project: storable(filter.project),
      repository: storable(filter.repository),
    }),
  );
}

/** Manifests with this subject, by digest (oci-registry.md 8). None where nobody has pushed anything. */
export async function listReferrers(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  subject: Address,
  page: Page & { artifactType: string | null },
): Promise<Listed<ReferrerRow>> {
  const answer = await lookUp(registry, principal, image);
  requireAllowed(registry, principal, image, 'pull', answer);
  const { imageId } = answer;
  if (imageId === null) return { items: [], next: null };
  const limit = Math.min(page.limit ?? MOST_REFERRERS, MOST_REFERRERS);
  const rows = await listImageReferrers(registry.database.sql, imageId, subject, {
    artifactType: storable(page.artifactType),
    after: storable(page.after),
    limit: limit + 1,
  });
  const items = withinBytes(rows.slice(0, limit));
  return { items, next: items.length > 0 && items.length < rows.length ? items.at(-1)!.digest : null };
}

/** As many as fit in one answer, but one at least. */
function withinBytes(rows: readonly ReferrerRow[]): ReferrerRow[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += 500 + Buffer.byteLength(JSON.stringify(row.annotations));
    return index > 0 && bytes > MOST_REFERRER_BYTES;
  });
  return end < 0 ? [...rows] : rows.slice(0, end);
}

async function paged(
  { after, limit }: Page,
  read: (after: string | null, limit: number) => Promise<string[]>,
): Promise<Listed<string>> {
  const most = Math.min(limit ?? MOST_ITEMS, MOST_ITEMS);
  const rows = await read(after, most + 1);
  const items = rows.slice(0, most);
  return { items, next: rows.length > most && items.length > 0 ? items.at(-1)! : null };
}

/** What the database cannot take in a text no name has. */
function storable(text: string | null): string | null {
  return text?.replaceAll('\0', '') ?? null;
}
