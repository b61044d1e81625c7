import type { VersionDetail, VersionRow } from '../operations/versions.ts';
import { apiDate, extDate } from './dates.ts';

/**
 * A tag in the list of `/docker/ext` (bkrepo-docker.md 1.5).
 *
 * @param domain where images are to be had, for docker clients: no scheme
 */
export function extTag(version: VersionRow, domain: string) {
  return {
    tag: version.name,
    stageTag: currentStage(version),
    size: version.size,
    lastModifiedBy: version.modifiedBy ?? '',
    lastModifiedDate: extDate(version.modifiedAt),
    downloadCount: version.downloads,
    registryUrl: `${domain}/${version.path}:${version.name}`,
  };
}

/** A tag in the list of `/docker/api`. */
export function apiTag(version: VersionRow) {
  return {
    tag: version.name,
    status: currentStage(version),
    size: version.size,
    downloadCount: version.downloads,
    lastModifiedBy: version.modifiedBy ?? '',
    lastModifiedDate: apiDate(version.modifiedAt),
  };
}

/** bkrepo-docker.md 1.8: as the document has it, and what servers added to it. */
export function extDetail(version: VersionDetail, domain: string) {
  const { contents } = version;
  return {
    basic: {
      domain,
      size: version.size,
      version: version.name,
      createdBy: version.createdBy ?? '',
      createdDate: extDate(version.createdAt),
      lastModifiedBy: version.modifiedBy ?? '',
      lastModifiedDate: extDate(version.modifiedAt),
      downloadCount: version.downloads,
      sha256: hexOf(contents.config),
      os: contents.os ?? '',
      dockerDomain: domain,
      stageTag: version.stages,
      platform: contents.platforms,
    },
    history: contents.history.map(({ created, createdBy }) => ({
      ...(created !== null && { created }),
      ...(createdBy !== null && { created_by: createdBy }),
    })),
    metadata: metadataOf(version),
    layers: contents.layers.map(({ mediaType, size, address }) => ({ mediaType, size, digest: address })),
  };
}

export function apiDetail(version: VersionDetail) {
  const { contents } = version;
  return {
    basic: {
      size: version.size,
      sha256: hexOf(contents.config),
      tag: version.name,
      os: contents.os ?? '',
      lastModifiedBy: version.modifiedBy ?? '',
      lastModifiedDate: apiDate(version.modifiedAt),
      downloadCount: version.downloads,
    },
    history: contents.history.map(({ createdBy }) => createdBy ?? ''),
    metadata: metadataOf(version),
    layers: contents.layers.map(({ address, size }) => ({ id: address.replace(':', '__'), size })),
  };
}

/** Labels say more about the image, but nothing else about what is here. */
function metadataOf(version: VersionDetail): Record<string, string> {
  const own = [
    ['docker.manifest', version.name],
    ['sha256', hexOf(version.digest)],
    ['docker.repoName', version.package],
    ['docker.manifest.digest', version.digest],
    ['docker.manifest.type', version.mediaType],
  ] as const;
  const names = new Set<string>(own.map(([name]) => name));
  const labels = version.contents.labels.filter(({ name }) => !names.has(name));
  return Object.fromEntries([...own, ...labels.map(({ name, value }) => [name, value] as const)]);
}

function currentStage({ stages }: VersionRow): string {
  return stages.at(-1) ?? '';
}

function hexOf(address: string | null): string {
  return address === null ? '' : address.slice(address.indexOf(':') + 1);
}
