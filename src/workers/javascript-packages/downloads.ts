import pLimit from 'p-limit';
import type { Artifact, ArtifactRequest, HashAlgorithm } from '../downloads/artifact-store.ts';
import type { FileCame, ResolveContext } from '../ecosystems/ecosystem.ts';
import type { ExternalDependency, LockedDependency } from './dependency.ts';
import { type Repacked, repack } from './external.ts';
import { inspectTarball } from './inspect-tarball.ts';
import { assertMatches } from './integrity.ts';
import { externalSuffix, tarballName, tarballPath } from './layout.ts';
import { type NpmRegistries, publicTarballUrl, upstreamTarball } from './registries.ts';

/** What was fetched, by lock entry. */
export interface Fetched {
  artifacts: Map<LockedDependency, Artifact>;
  repacked: Map<LockedDependency, Repacked>;
}

interface DownloadNeeds {
  /** For the log. */
  manager: string;
  /** Digests that the rewritten files need besides those of the lock. */
  digests: readonly HashAlgorithm[];
  /** Where the files lie in the bundle, as in `deps/npm`: they are fetched in the order of their paths. */
  directory: string;
  onStored?: FileCame;
}

/** Git repositories that are fetched and packed at a time; downloads have limits of their own. */
const REPACK_CONCURRENCY = 8;

/** Registry tarballs in one go, git and URL dependencies beside them. The first failure ends all of it. */
export async function fetchDependencies(
  context: ResolveContext,
  all: readonly LockedDependency[],
  registries: NpmRegistries,
  needs: DownloadNeeds,
): Promise<Fetched> {
  const plan = planDownloads(all, registries, context, needs);
  const external = all.filter((one) => one.kind === 'git' || one.kind === 'http');
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const failTogether = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const [downloads, packing] = await Promise.allSettled([
    failTogether(context.artifacts.fetchAll(plan.requests)),
    failTogether(repackAll(context, external, signal)),
  ]);
  if (failed.signal.aborted) throw failed.signal.reason;
  if (downloads.status === 'rejected') throw downloads.reason;
  if (packing.status === 'rejected') throw packing.reason;
  return { artifacts: plan.assign(downloads.value), repacked: packing.value };
}

interface DownloadPlan {
  requests: ArtifactRequest[];
  assign(artifacts: readonly Artifact[]): Map<LockedDependency, Artifact>;
}

interface PlannedDownload {
  request: ArtifactRequest;
  wanted: LockedDependency[];
  /** In the bundle. */
  paths: string[];
}

/** One request for each file, however many lock entries ask for it. */
function planDownloads(
  all: readonly LockedDependency[],
  registries: NpmRegistries,
  { request, log }: ResolveContext,
  { manager, digests, directory, onStored }: DownloadNeeds,
): DownloadPlan {
  const byKey = new Map<string, PlannedDownload>();
  for (const dependency of all) {
    if (dependency.kind !== 'registry') continue;
    const { entry, fetchVersion, expected } = dependency;
    const upstream = upstreamTarball(
      registries,
      entry.name,
      fetchVersion,
      request.rules === 'native' ? entry.source : null,
      request.rules === 'native',
    );
    if (expected.length === 0)
      log.warn(`${manager}: ${entry.name}@${fetchVersion} has no integrity in the lock file`);
    const key = `npm:${upstream.registry}:${entry.name}@${fetchVersion}`;
    const path = tarballPath(directory, dependency, dependency.version);
    const known = byKey.get(key);
    if (known) {
      known.wanted.push(dependency);
      known.paths.push(path);
      const { expected: before, record } = known.request;
      known.request = {
        ...known.request,
        expected: before.length > 0 ? before : expected,
        record: [...new Set([...(record ?? []), ...expected.map(({ algorithm }) => algorithm)])],
      };
      continue;
    }
    const paths = [path];
    byKey.set(key, {
      wanted: [dependency],
      paths,
      request: {
        key,
        url: entry.source ?? publicTarballUrl(entry.name, fetchVersion),
        upstream: { url: upstream.url, headers: registries.headersFor(upstream.url) },
        expected,
        fileName: tarballName(entry.name, fetchVersion),
        record: [...new Set([...digests, ...expected.map(({ algorithm }) => algorithm)])],
        ...(expected.length === 0 && { inspect: inspectTarball(tarballName(entry.name, fetchVersion)) }),
        ...(onStored && { onStored: (blob) => paths.forEach((one) => void onStored(one, blob)) }),
      },
    });
  }
  const planned = [...byKey.values()].sort((a, b) => (a.paths[0]! < b.paths[0]! ? -1 : 1));
  return {
    requests: planned.map((one) => one.request),
    assign: (artifacts) => assignArtifacts(planned, artifacts),
  };
}

function assignArtifacts(
  planned: readonly PlannedDownload[],
  artifacts: readonly Artifact[],
): Map<LockedDependency, Artifact> {
  const assigned = new Map<LockedDependency, Artifact>();
  for (const [index, { request, wanted }] of planned.entries()) {
    const artifact = artifacts[index]!;
    for (const dependency of wanted) {
      // Entries may state different digests; the store saw those of the first.
      assertMatches(artifact, dependency.expected, request.fileName);
      assigned.set(dependency, { ...artifact, url: dependency.entry.source ?? request.url });
    }
  }
  return assigned;
}

async function repackAll(
  context: ResolveContext,
  external: readonly ExternalDependency[],
  signal: AbortSignal,
): Promise<Map<LockedDependency, Repacked>> {
  const limit = pLimit(REPACK_CONCURRENCY);
  const once = new Map<string, Promise<Repacked>>();
  const repacked = new Map<LockedDependency, Repacked>();
  const outcomes = await Promise.allSettled(
    external.map(async (dependency) => {
      const key = `${dependency.url}#${externalSuffix(dependency)}`;
      let work = once.get(key);
      if (!work) {
        work = limit(() => {
          signal.throwIfAborted();
          return repack(context, dependency, signal);
        });
        once.set(key, work);
      }
      repacked.set(dependency, await work);
    }),
  );
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
  return repacked;
}
