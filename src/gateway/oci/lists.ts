import type { ReferrerRow } from '../../domain/database/sql/registry-lists.ts';
import { RegistryError } from '../../domain/registry/errors.ts';
import { listImages, listReferrers, listTags, type Page } from '../../domain/registry/lists.ts';
import { parseAddress } from '../../domain/registry/reference.ts';
import type { OciExchange } from './oci-exchange.ts';

export async function readTags(exchange: OciExchange, name: string): Promise<void> {
  const { registry, principal } = exchange;
  const image = exchange.image(name);
  const page = pageOf(exchange);
  const { items, next } = await listTags(registry, principal, image, page);
  const link = linkTo(exchange.path(image, 'tags/list'), exchange, items.length, next);
  exchange.sendJson(200, { name: image.asWritten, tags: items }, link);
}

export async function readCatalog(exchange: OciExchange): Promise<void> {
  const { registry, principal, query, prefix } = exchange;
  const filter = { project: query.get('projectId'), repository: query.get('repoName') };
  const { items, next } = await listImages(registry, principal, pageOf(exchange), filter);
  const link = linkTo(`${prefix}/v2/_catalog`, exchange, items.length, next);
  exchange.sendJson(200, { repositories: items }, link);
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

export async function readReferrers(exchange: OciExchange, name: string, text: string): Promise<void> {
  const { registry, principal, query } = exchange;
  const image = exchange.image(name);
  const subject = parseAddress(text);
  const artifactType = query.get('artifactType') || null;
  const page = { ...pageOf(exchange), artifactType };
  const { items, next } = await listReferrers(registry, principal, image, subject, page);
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: items.map(descriptorOf) };
  exchange.sendJson(200, index, {
    'content-type': INDEX,
    ...(artifactType !== null && { 'oci-filters-applied': 'artifactType' }),
    ...linkTo(exchange.path(image, `referrers/${subject}`), exchange, items.length, next),
  });
}

function descriptorOf({ mediaType, digest, sha512, size, artifactType, annotations }: ReferrerRow): object {
  return {
    mediaType,
    digest: sha512 ?? digest,
    size,
    ...(artifactType !== null && { artifactType }),
    ...(annotations !== null && { annotations }),
  };
}

/** Throws `paging-invalid`. */
function pageOf({ query }: OciExchange): Page {
  const n = query.get('n');
  if (n !== null && !/^\d+$/.test(n)) {
    throw new RegistryError('paging-invalid', '"n" must be a number of entries');
  }
  return { after: query.get('last'), limit: n === null ? null : Number(n) };
}

/** To the next page, with the same filter. */
function linkTo(
  path: string,
  { query }: OciExchange,
  listed: number,
  next: string | null,
): { link?: string } {
  if (next === null) return {};
  const parameters = new URLSearchParams(query);
  parameters.set('n', query.get('n') ?? String(listed));
  parameters.set('last', next);
  return { link: `<${path}?${parameters}>; rel="next"` };
}
