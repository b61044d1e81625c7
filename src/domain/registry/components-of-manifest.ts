import { listComponentsOfManifest } from '../database/sql/image-components.ts';
import type { Component } from '../database/sql/list-components.ts';
import { addressesOf, type Manifest } from '../database/sql/manifest-rows.ts';
import { type ComponentQuery, matchingComponents, type Page } from '../packages/search-components.ts';
import type { Registry } from './registry.ts';

/** Packages of the SBOMs that are attached to a manifest which the caller may see. */
export async function findComponentsOfManifest(
  { database }: Registry,
  manifest: Pick<Manifest, 'imageId' | 'digest' | 'sha512'>,
  query: ComponentQuery,
  page: Page,
): Promise<Component[]> {
  const subject = { imageId: manifest.imageId, addresses: addressesOf(manifest) };
  return await matchingComponents(query, page, (filter, batch) =>
    listComponentsOfManifest(database.sql, subject, filter, batch),
  );
}
