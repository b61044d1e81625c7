import { type Manifest, readBlobsOfManifests } from '../database/sql/manifest-rows.ts';
import type { Registry } from './registry.ts';

/** What the config of an image says of it, as far as it can be read. */
export interface ImageConfig {
  history: HistoryEntry[];
  labels: { name: string; value: string }[];
  createdAt: string | null;
  author: string | null;
  user: string | null;
  workingDirectory: string | null;
  environment: string[];
  entrypoint: string[];
  command: string[];
  exposedPorts: string[];
}

export interface HistoryEntry {
  created: string | null;
  createdBy: string | null;
  comment: string | null;
  author: string | null;
  isEmptyLayer: boolean;
}

const CONFIG_TYPES = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
const MOST_BYTES = 4 * 1024 * 1024;

/** null: it is not an image, or its config is not here or is no JSON. */
export async function readImageConfig(
  { database, contents, blobs }: Registry,
  manifest: Pick<Manifest, 'id'>,
): Promise<ImageConfig | null> {
  const named = await readBlobsOfManifests(database.sql, [manifest.id]);
  const config = named.find((blob) => blob.role === 'config');
  if (!config?.digest || !CONFIG_TYPES.has(config.mediaType) || config.size > MOST_BYTES) return null;
  try {
    const bytes = contents.kept(config.digest) ?? (await blobs.readWhole(config.digest, MOST_BYTES));
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return isObject(value) ? configOf(value) : null;
  } catch {
    return null;
  }
}

type JsonObject = Record<string, unknown>;

function configOf(value: JsonObject): ImageConfig {
  const settings = isObject(value.config) ? value.config : {};
  const labels = isObject(settings.Labels) ? Object.entries(settings.Labels) : [];
  return {
    history: (Array.isArray(value.history) ? value.history : []).filter(isObject).map(historyEntry),
    labels: labels.flatMap(([name, one]) => (typeof one === 'string' ? [{ name, value: one }] : [])),
    createdAt: textOf(value.created),
    author: textOf(value.author),
    user: textOf(settings.User),
    workingDirectory: textOf(settings.WorkingDir),
    environment: textsOf(settings.Env),
    entrypoint: textsOf(settings.Entrypoint),
    command: textsOf(settings.Cmd),
    exposedPorts: isObject(settings.ExposedPorts) ? Object.keys(settings.ExposedPorts) : [],
  };
}

function historyEntry(entry: JsonObject): HistoryEntry {
  return {
    created: textOf(entry.created),
    createdBy: textOf(entry.created_by),
    comment: textOf(entry.comment),
    author: textOf(entry.author),
    isEmptyLayer: entry.empty_layer === true,
  };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
