import { createHash } from 'node:crypto';
import { publicVcsUrl } from '../../sources/public-url.ts';
import type { SbomComponent } from '../sbom-component.ts';

/** What an SBOM describes, independent of its format. Nothing of the machine, the clock or the request's number. */
export interface SbomSubject {
  /** Of what is described, for a bundle the digest of its manifest: serial numbers derive from it. */
  identity: string;
  /** As submitted, credentials masked; null for an uploaded archive. */
  repository: string | null;
  commit: string | null;
  /** Names the source where no commit does: its git tree, or the sha256 of an archive. */
  sourceId: string;
  /** Seconds since 1970: commit time. */
  time: number;
  /** Merged, see merge-components.ts. */
  components: readonly SbomComponent[];
  /** Of the whole document. */
  properties?: readonly { name: string; value: string }[];
}

export interface RootComponent {
  ref: string;
  purl: string;
  name: string;
  version: string;
}

/** The source itself, on which everything else depends. */
export function rootOf(subject: SbomSubject): RootComponent {
  const { repository, commit, sourceId } = subject;
  const name = nameOf(repository);
  const version = commit ?? sourceId;
  // A path of this machine says nothing to anybody else, and would differ on the next one.
  const vcsUrl = repository === null ? null : publicVcsUrl(repository);
  const qualifier = vcsUrl === null ? '' : `?vcs_url=${encodeURIComponent(`git+${vcsUrl}@${version}`)}`;
  const purl = `pkg:generic/${encodeURIComponent(name)}@${version}${qualifier}`;
  return { ref: `root:${purl}`, purl, name, version };
}

function nameOf(repository: string | null): string {
  const last = repository
    ?.replace(/[/\\]+$/, '')
    .split(/[/:\\]/)
    .at(-1)
    ?.replace(/\.git$/, '');
  return last || 'source';
}

/** The direct dependencies of the root: the packages of the source, and everything that nothing else depends on. */
export function rootDependencies(components: readonly SbomComponent[]): string[] {
  const packages = components.filter((component) => component.isSourcePackage);
  const needed = new Set(components.flatMap((component) => component.dependsOn ?? []));
  const loose = components.filter((component) => !component.isSourcePackage && !needed.has(component.ref));
  return [...packages, ...loose].map((component) => component.ref).sort();
}

/** ISO 8601 in UTC, whole seconds. */
export function timestampOf(subject: SbomSubject): string {
  return new Date(subject.time * 1000).toISOString().replace('.000Z', 'Z');
}

/** UUID version 5 (RFC 9562) in a namespace of our own. */
export function documentUuid(text: string): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Made once at random; names the serial numbers of this project's documents. */
const NAMESPACE = Buffer.from('2f6b9d0c7a614c6d9f9b5b1d3f0c8a57', 'hex');
