import { NotFoundError } from '../../../domain/errors.ts';
import type { BuildState } from '../../../domain/images/image-build.ts';
import {
  DEFAULT_REPOSITORY,
  type PublishedImage,
  type PublishedName,
  type PublishedVersion,
} from '../../../domain/images/published-image.ts';
import {
  findPublishedImage,
  listPublishedImages,
  listPublishedVersions,
} from '../../../domain/images/published-images.ts';
import type { FandoghCall } from './route.ts';

/** The image of a name in the call's namespace, which has one repository for all of them (fandogh.md 1.10). */
export async function publishedNameOf(call: FandoghCall, name: string): Promise<PublishedName> {
  return { projectName: await call.namespace(), repository: DEFAULT_REPOSITORY, name };
}

/** Throws NotFoundError in the words of most calls (fandogh.md 1.6, 1.7). */
export async function requireImage(
  call: FandoghCall,
  name: string,
  missing = `Image with name ${name} does not exist.`,
): Promise<PublishedImage> {
  const image = await findPublishedImage(call.database, call.principal, await publishedNameOf(call, name));
  if (!image) throw new NotFoundError(missing);
  return image;
}

const PAGE = 1000;

/** This dialect has no pages: all of a list, read in pages. */
async function allOf<Item extends { id: number }>(
  read: (range: { after: number | null; before: null; limit: number; inverted: false }) => Promise<Item[]>,
): Promise<Item[]> {
  const all: Item[] = [];
  for (let after: number | null = null; ; ) {
    const page = await read({ after, before: null, limit: PAGE, inverted: false });
    all.push(...page);
    if (page.length < PAGE) return all;
    after = page.at(-1)!.id;
  }
}

/** Oldest first. */
export async function imagesOf(call: FandoghCall): Promise<PublishedImage[]> {
  const filter = { project: await call.namespace(), repository: DEFAULT_REPOSITORY };
  return await allOf((range) => listPublishedImages(call.database, call.principal, filter, range));
}

/** Oldest first; null: all states. */
export async function versionsOf(
  call: FandoghCall,
  image: PublishedImage,
  states: BuildState[] | null,
): Promise<PublishedVersion[]> {
  return await allOf((range) =>
    listPublishedVersions(call.database, call.principal, image.id, { states }, range),
  );
}

/** Throws NotFoundError in the words of `builds` (fandogh.md 1.9). */
export async function requireVersion(
  call: FandoghCall,
  name: string,
  version: string,
): Promise<PublishedVersion> {
  const missing = "Couldn't find the resource";
  const image = await requireImage(call, name, missing);
  const range = { after: null, before: null, limit: 1, inverted: false };
  const [found] = await listPublishedVersions(
    call.database,
    call.principal,
    image.id,
    { name: version },
    range,
  );
  if (!found) throw new NotFoundError(missing);
  return found;
}
