import {
  listManifestParts,
  listPlatformManifests,
  type ManifestPart,
  type PlatformManifest,
} from '../database/sql/image-packages.ts';
import { type ImageConfig, readImageConfig } from './image-config.ts';
import type { Registry } from './registry.ts';

/** What is in an image, as its manifest and config say; of an index, in one of its images (bkrepo-docker.md 1.8). */
export interface ImageContents extends Pick<ImageConfig, 'history' | 'labels'> {
  /** Address of the config; null: it has none. */
  config: string | null;
  os: string | null;
  /** `os/architecture[/variant]` of the image, or of all images of the index. */
  platforms: string[];
  layers: ManifestPart[];
}

export async function readImageContents(registry: Registry, manifestId: number): Promise<ImageContents> {
  const { sql } = registry.database;
  const manifests = await listPlatformManifests(sql, manifestId);
  const chosen = manifests.find(isUsual) ?? manifests[0];
  const id = chosen?.id ?? manifestId;
  const parts = await listManifestParts(sql, id);
  const config = await readImageConfig(registry, { id });
  return {
    config: parts.find(({ role }) => role === 'config')?.address ?? null,
    os: chosen?.os ?? null,
    platforms: [...new Set(manifests.flatMap(platformOf))],
    labels: config?.labels ?? [],
    history: config?.history ?? [],
    layers: parts.filter(({ role }) => role === 'layer'),
  };
}

function isUsual({ os, architecture }: PlatformManifest): boolean {
  return os === 'linux' && architecture === 'amd64';
}

/** Attestations call themselves unknown. */
function platformOf({ os, architecture, variant }: PlatformManifest): string[] {
  if (os === null || architecture === null || os === 'unknown') return [];
  return [[os, architecture, ...(variant === null ? [] : [variant])].join('/')];
}
