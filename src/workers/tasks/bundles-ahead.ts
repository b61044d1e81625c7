import { setTimeout as sleep } from 'node:timers/promises';
import type { BundleFile } from '../../domain/bundles/bundle-file.ts';
import { layOutBundle } from '../../domain/bundles/bundle-manifest.ts';
import { consumerFiles } from '../../domain/bundles/consumer-files.ts';
import { WRITER_VERSION } from '../../domain/bundles/deterministic-gzip.ts';
import { DigestsAhead } from '../../domain/bundles/digests-ahead.ts';
import { sourceListing } from '../../domain/bundles/source-member.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import { BlobHash } from '../../domain/storage/blob-hash.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import type { FileCame, Foreseen } from '../ecosystems/ecosystem.ts';
import type { SourceMembers } from './source-members.ts';
import type { StepContext } from './step-task.ts';

/** The first downloads take all of the process's time: each runs code that has not run for long. */
const HEAD_START_MS = 400;
/** Kept at a time; who assembles a bundle on another worker takes none. */
const MOST = 8;

/**
 * Digests of bundles whose files are still being fetched, by request: when the last file is there, so are the digests.
 * Only where one package manager decides alone what the bundle is.
 */
export class BundlesAhead {
  readonly #sourceMembers: SourceMembers;
  readonly #digests = new Map<number, DigestsAhead>();

  constructor(sourceMembers: SourceMembers) {
    this.#sourceMembers = sourceMembers;
  }

  begin(
    step: StepContext,
    source: { tree: SourceTree; snapshot: Digest },
    work: () => Promise<Foreseen>,
  ): FileCame {
    const { request, worker, signal } = step;
    if (request.packageManagers.length !== 1) return () => undefined;
    this.drop(request.id);
    for (const id of [...this.#digests.keys()].slice(0, Math.max(0, this.#digests.size - MOST + 1)))
      this.drop(id);
    const digests = new DigestsAhead(worker.blobs);
    this.#digests.set(request.id, digests);
    signal.addEventListener('abort', () => digests.end(), { once: true });
    this.#begin(digests, step, source, work).catch(() => undefined);
    return (path, blob) => digests.add(path, blob);
  }

  /** What was computed for a request; it is the caller's from now on. */
  take(requestId: number): DigestsAhead | null {
    const digests = this.#digests.get(requestId) ?? null;
    this.#digests.delete(requestId);
    return digests;
  }

  drop(requestId: number): void {
    this.take(requestId)?.end();
  }

  async #begin(
    digests: DigestsAhead,
    { request, signal }: StepContext,
    { tree, snapshot }: { tree: SourceTree; snapshot: Digest },
    work: () => Promise<Foreseen>,
  ): Promise<void> {
    await sleep(HEAD_START_MS, undefined, { signal });
    await this.#sourceMembers.prepared(snapshot);
    const contents = layOutBundle({ source: tree, sourceChanges: [], files: [], directories: [] });
    const member = await this.#sourceMembers.find(sourceListing(contents), WRITER_VERSION, signal);
    if (!member || signal.aborted) return;
    const { paths, directories, offline } = await work();
    const laidOver =
      request.rules === 'native' ? consumerFiles(offline.environment, offline.configurationFiles) : [];
    const known = laidOver.map(({ path, content }) => ({ ...fileOf(path, content), content }));
    digests.begin({ source: tree, member, directories, awaited: paths, known });
  }
}

function fileOf(path: string, content: Buffer): BundleFile {
  const hash = new BlobHash();
  hash.update(content);
  return { path, mode: 0o644, ...hash.finish() };
}
