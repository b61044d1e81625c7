import type { FastifyRequest } from 'fastify';
import { NotFoundError } from '../../../domain/errors.ts';
import { isTag } from '../../../domain/registry/reference.ts';
import { ALL_BUILDS, NEWEST_BUILD, type VersionName } from './operations/builds.ts';
import {
  IMAGE,
  IMAGES,
  type ImageName,
  type ImageRow,
  type Page,
  type SchemaState,
  VERSIONS,
  type VersionRow,
} from './operations/images.ts';
import { imageNameOf, versionNameOf } from './parameters/path.ts';
import type { FandoghCall } from './route.ts';

/** The image of a name in the call's namespace, which has one repository for all of them (fandogh.md 1.10). */
export async function imageOf(call: FandoghCall, name: string): Promise<ImageName> {
  return { project: await call.namespace(), name };
}

/** Throws NotFoundError in the words of most calls (fandogh.md 1.6, 1.7). */
export async function requireImage(
  call: FandoghCall,
  name: string,
  missing = noImage(name),
): Promise<{ number: number; mayPublish: boolean }> {
  const { publishedImage } = await call.run(IMAGE, await imageOf(call, name));
  if (!publishedImage) throw new NotFoundError(missing);
  return publishedImage;
}

export function noImage(name: string): string {
  return `Image with name ${name} does not exist.`;
}

/** This dialect has no pages: all of a list, read in pages. */
async function allOf<Row>(read: (after: string | null) => Promise<Page<Row>>): Promise<Row[]> {
  const all: Row[] = [];
  for (let after: string | null = null; ; ) {
    const { nodes, pageInfo } = await read(after);
    all.push(...nodes);
    if (!pageInfo.hasNextPage) return all;
    after = pageInfo.endCursor;
  }
}

/** Oldest first. */
export async function imagesOf(call: FandoghCall): Promise<ImageRow[]> {
  const project = await call.namespace();
  return await allOf(async (after) => (await call.run(IMAGES, { project, after })).publishedImages);
}

/** Oldest first; null: all states. Throws NotFoundError. */
export async function versionsOf(
  call: FandoghCall,
  name: string,
  states: readonly SchemaState[] | null,
): Promise<VersionRow[]> {
  const image = await imageOf(call, name);
  return await allOf(async (after) => {
    const { publishedImage } = await call.run(VERSIONS, { ...image, states, after });
    if (!publishedImage) throw new NotFoundError(noImage(name));
    return publishedImage.versions;
  });
}

/** Number of the newest build of a version. Throws NotFoundError in the words of `builds` (fandogh.md 1.9). */
export async function requireBuild(call: FandoghCall, request: FastifyRequest): Promise<number> {
  const { publishedImage } = await call.run(NEWEST_BUILD, await versionOf(call, request));
  const [found] = publishedImage?.versions.nodes ?? [];
  if (!found) throw new NotFoundError(NO_BUILD);
  return found.build.number;
}

/** Numbers of all builds of a version, oldest first. Throws NotFoundError. */
export async function requireAllBuilds(call: FandoghCall, request: FastifyRequest): Promise<number[]> {
  const version = await versionOf(call, request);
  const newestFirst = await allOf(async (after) => {
    const { publishedImage } = await call.run(ALL_BUILDS, { ...version, after });
    const [found] = publishedImage?.versions.nodes ?? [];
    if (!found) throw new NotFoundError(NO_BUILD);
    return found.builds;
  });
  return newestFirst.map(({ number }) => number).reverse();
}

const NO_BUILD = "Couldn't find the resource";

async function versionOf(call: FandoghCall, request: FastifyRequest): Promise<VersionName> {
  const version = versionNameOf(request);
  if (!isTag(version)) throw new NotFoundError(NO_BUILD);
  return { ...(await imageOf(call, imageNameOf(request))), version };
}
