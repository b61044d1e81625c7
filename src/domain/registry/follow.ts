import { findReadableImages, type Image } from '../database/sql/image-rows.ts';
import { findReadableRepositories, type Repository } from '../database/sql/repository-rows.ts';
import { InvalidInputError, NotFoundError } from '../errors.ts';
import type { DomainEvent, FeedCursor } from '../events/event.ts';
import type { EventHub } from '../events/event-hub.ts';
import { requireFeedCursor } from '../events/feed-cursor.ts';
import type { RegistryPrincipal } from './access.ts';
import { findBrowsedImage, findBrowsedRepository } from './browse.ts';
import type { RepositoryName } from './management.ts';
import { findReader } from './reader.ts';
import type { Registry } from './registry.ts';

/** Where events come from. */
export interface RegistryEvents {
  registry: Registry;
  hub: EventHub;
}

/**
 * Every event of an image after a version, then those to come, for as long as the principal may pull it. Throws
 * NotFoundError before there is a stream.
 */
export async function followImage(
  source: RegistryEvents,
  principal: RegistryPrincipal,
  path: string,
  afterVersion: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent>> {
  const image = await requireImage(source.registry, principal, path);
  requireVersion(afterVersion, image.version);
  const images = new Seen(readableImages(source.registry, principal));
  return eventsOf(source.hub, 'image', image.id, afterVersion, images, signal);
}

/** Every event of a repository itself: it was made, changed, deleted. */
export async function followRepository(
  source: RegistryEvents,
  principal: RegistryPrincipal,
  name: RepositoryName,
  afterVersion: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent>> {
  const repository = await findBrowsedRepository(source.registry, principal, name);
  if (!repository) throw new NotFoundError(`There is no repository "${name.project}/${name.name}"`);
  requireVersion(afterVersion, repository.version);
  const seen = new Seen(readableRepositories(source.registry, principal));
  return eventsOf(source.hub, 'repository', repository.id, afterVersion, seen, signal);
}

async function* eventsOf(
  hub: EventHub,
  type: 'image' | 'repository',
  id: number,
  afterVersion: number,
  seen: Seen<{ id: number }>,
  signal: AbortSignal,
): AsyncGenerator<DomainEvent> {
  for await (const event of hub.subject(type, id, afterVersion, signal)) {
    const found = isDeletion(event) ? await seen.findNow(id) : await seen.find(id);
    // The last thing that is told of what is gone is that it is.
    if (found || isDeletion(event)) yield event;
    if (!found) return;
  }
}

export interface FeedFilter {
  project?: string | null | undefined;
  repository?: string | null | undefined;
  /** Kinds of events. */
  types?: readonly string[] | null | undefined;
}

/** Events of all images that the principal may pull, after a cursor or from now on. */
export async function followImages(
  { registry, hub }: RegistryEvents,
  principal: RegistryPrincipal,
  filter: FeedFilter,
  after: FeedCursor | null,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent & { cursor: FeedCursor }>> {
  requireFeedCursor(after);
  const images = new Seen(readableImages(registry, principal));
  return feedOf(hub, images, filter, after, signal);
}

async function* feedOf(
  hub: EventHub,
  images: Seen<Image>,
  { project, repository, types }: FeedFilter,
  after: FeedCursor | null,
  signal: AbortSignal,
): AsyncGenerator<DomainEvent & { cursor: FeedCursor }> {
  for await (const event of hub.feed('image', after, signal)) {
    if (types && !types.includes(event.type)) continue;
    // An image that is gone with its repository was seen before, or is nobody's business.
    const { subjectId } = event;
    const image = (await images.find(subjectId)) ?? (isDeletion(event) ? images.last(subjectId) : null);
    if (!image) continue;
    const [ofProject, ofRepository] = image.path.split('/', 2);
    if (project != null && project !== ofProject) continue;
    if (repository != null && repository !== ofRepository) continue;
    yield event;
  }
}

/** The image whenever it was pulled, and once at the beginning; counts are written down about once a second. */
export async function followPulls(
  { registry, hub }: RegistryEvents,
  principal: RegistryPrincipal,
  path: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<Image>> {
  const { id } = await requireImage(registry, principal, path);
  return pullsOf({ registry, hub }, principal, id, signal);
}

async function* pullsOf(
  { registry, hub }: RegistryEvents,
  principal: RegistryPrincipal,
  id: number,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  let told: number | null = null;
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const changes = hub.follow(`image-pulls:${id}`, either, async (): Promise<Image[]> => {
    const [image] = await readableImages(registry, principal)([id]);
    if (!image) ended.abort();
    return image && image.downloads !== told ? [image] : [];
  });
  for await (const image of changes) {
    told = image.downloads;
    yield image;
  }
}

async function requireImage(registry: Registry, principal: RegistryPrincipal, path: string): Promise<Image> {
  const image = await findBrowsedImage(registry, principal, path);
  if (!image) throw new NotFoundError(`There is no image "${path.slice(0, 260)}"`);
  return image;
}

function requireVersion(afterVersion: number, version: number): void {
  if (afterVersion < 0) throw new InvalidInputError('afterVersion must not be negative');
  if (afterVersion > version) throw new InvalidInputError(`There are only ${version} versions yet`);
}

function isDeletion({ type }: DomainEvent): boolean {
  return type === 'deleted' || type === 'image-deleted';
}

type Find<Row> = (ids: readonly number[]) => Promise<Row[]>;

function readableImages(registry: Registry, principal: RegistryPrincipal): Find<Image> {
  return async (ids) =>
    await findReadableImages(registry.database.sql, await findReader(registry, principal), ids);
}

function readableRepositories(registry: Registry, principal: RegistryPrincipal): Find<Repository> {
  return async (ids) =>
    await findReadableRepositories(registry.database.sql, await findReader(registry, principal), ids);
}

/** What the principal may see; answers are kept for a moment, since a push gives many events. */
class Seen<Row extends { id: number }> {
  readonly #read: Find<Row>;
  readonly #known = new Map<number, { row: Row | null; last: Row | null; until: number }>();

  constructor(read: Find<Row>) {
    this.#read = read;
  }

  /** null: it is gone, or the principal must not see it. */
  async find(id: number): Promise<Row | null> {
    const known = this.#known.get(id);
    return known && known.until > Date.now() ? known.row : await this.findNow(id);
  }

  async findNow(id: number): Promise<Row | null> {
    const known = this.#known.get(id);
    const [row = null] = await this.#read([id]);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(id, { row, last: row ?? known?.last ?? null, until: Date.now() + KNOWN_FOR_MS });
    return row;
  }

  /** As it was when the principal saw it last. */
  last(id: number): Row | null {
    return this.#known.get(id)?.last ?? null;
  }
}

const MOST_KNOWN = 10_000;
const KNOWN_FOR_MS = 1_000;
