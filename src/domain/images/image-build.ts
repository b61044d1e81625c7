import type { Principal } from '../identity/principal.ts';
import type { Digest } from '../storage/blob-store.ts';
import type { BuildFailureReason } from './build-failure.ts';

/**
 * One run that makes a version of a published image.
 *
 * | from      | to                                                                              |
 * | --------- | ------------------------------------------------------------------------------- |
 * | queued    | running, cancelled, failed (its job ended one worker after the other)           |
 * | running   | succeeded, failed, cancelled, queued (its worker died or stops: another does it) |
 * | succeeded | –                                                                               |
 * | failed    | queued (retry)                                                                  |
 * | cancelled | queued (retry)                                                                  |
 */
export const BUILD_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type BuildState = (typeof BUILD_STATES)[number];

export const BUILD_TRANSITIONS: Record<BuildState, readonly BuildState[]> = {
  queued: ['running', 'cancelled', 'failed'],
  running: ['succeeded', 'failed', 'cancelled', 'queued'],
  succeeded: [],
  failed: ['queued'],
  cancelled: ['queued'],
};

export function hasEnded({ state }: { state: BuildState }): boolean {
  return state !== 'queued' && state !== 'running';
}

export interface ImageBuild {
  id: number;
  versionId: number;
  projectId: number;
  userId: number | null;
  /**
   * One of these three is not null: an uploaded archive (until its time is over), a repository, a complete bundle
   * request.
   */
  uploadId: number | null;
  repository: string | null;
  requestId: number | null;
  /** Of a repository: commit, branch or tag; null: the remote's HEAD. */
  requestedRef: string | null;
  /** Of a repository, once resolved; of a bundle that of its source. */
  commit: string | null;
  options: BuildOptions;
  state: BuildState;
  version: number;
  attempt: number;
  retries: number;
  isAdmitted: boolean;
  workerId: string | null;
  failure: BuildError | null;
  /** Of the manifest. */
  digest: Digest | null;
  mediaType: string | null;
  /** Config and layers, compressed. */
  size: number | null;
  baseImages: { name: string; digest: Digest }[] | null;
  builder: { name: string; version: string } | null;
  createdAt: Date;
  queuedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** The trace of who asked for it (W3C `traceparent`); null: it is not traced. */
  traceparent: string | null;
  /** Of the published image, which never change. */
  imageId: number;
  imageName: string;
  /** Where the registry keeps it. */
  imagePath: string;
  /** Name of the version: the tag. */
  tag: string;
}

/** How to build. What is null is left to the settings or to the builder. */
export interface BuildOptions {
  /** Path in the source. */
  dockerfile: string;
  target: string | null;
  buildArguments: Record<string, string>;
  labels: Record<string, string>;
  /** `os/architecture[/variant]`; null: that of the worker. */
  platform: string | null;
  useCache: boolean;
  /** Steps have no network. */
  isHermetic: boolean;
  timeoutSeconds: number | null;
  memoryBytes: number | null;
  processes: number | null;
  /** Their values are kept apart, until the build ends. */
  secretIds: string[];
}

/** Why there is no image, for people and programs. */
export interface BuildError {
  reason: BuildFailureReason | 'cancelled';
  message: string;
  /** `line` of the Dockerfile, `exitStatus` of a step, … */
  details: Record<string, unknown>;
}

/** What subscribers of a build see; `data` by type. */
export interface BuildEventData {
  state: { state: BuildState; attempt: number; failure?: BuildError; digest?: Digest; size?: number };
  /** What a repository's ref was resolved to. */
  source: { commit: string };
  /** Its new place among the waiting builds of its project, from 1; the first one is told by the event that it waits. */
  queue: { position: number };
}

export function cancelledBy(principal: Principal): BuildError {
  const by = principal.name === null ? '' : ` by ${principal.name}`;
  return { reason: 'cancelled', message: `The build was cancelled${by}`, details: {} };
}
