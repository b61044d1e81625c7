import type { Settings } from '../../../domain/config.ts';
import { DomainError, NetworkError } from '../../../domain/errors.ts';
import {
  isDistributed,
  type ManifestDocument,
  parseManifest,
} from '../../../domain/registry/manifest-document.ts';
import type { PushedImage } from '../../../domain/registry/push-access.ts';
import type { Registry } from '../../../domain/registry/registry.ts';
import {
  addBlobToCopy,
  addManifestToCopy,
  blobsOfCopies,
  type CachedManifest,
  ensureCopy,
  findCopy,
  nameOfCopy,
} from '../../../domain/registry/upstream-images.ts';
import type { Digest } from '../../../domain/storage/blob-store.ts';
import type { DownloadScheduler } from '../../downloads/scheduler.ts';
import type { StepLog } from '../../ecosystems/ecosystem.ts';
import { untilAborted } from '../../until-aborted.ts';
import { type ImageReference, nameText, parseImageReference } from '../image-reference.ts';
import { matchesPlatform, type Platform, platformText } from '../platform.ts';
import { type AskTools, askSkopeo, type ToolsAnswer } from './container-tools.ts';
import { type ImageCredentials, NO_CREDENTIALS, readImageCredentials } from './image-credentials.ts';
import { type Origin, originsOf } from './origins.ts';
import { ImageRefused, isAway, problemOf, UpstreamRegistry, UpstreamTokens } from './upstream-registry.ts';

/** A base image that lies in our own registry. */
export interface CopiedImage {
  /** In our registry. */
  path: string;
  /** Of the manifest for the platform. */
  digest: Digest;
}

export interface MissingImage {
  problem: string;
  /** Its registry is not there just now: another time it may be. */
  isAway?: true;
}

export interface CopyContext {
  platform: Platform;
  log: StepLog;
  signal: AbortSignal;
}

export interface UpstreamImagesOptions {
  settings: Settings;
  registry: Registry;
  scheduler: DownloadScheduler;
  askTools?: AskTools;
}

/**
 * Pull-through cache of base images: what a Dockerfile names and our registry does not have is fetched from its upstream
 * into our registry, and only what has changed there. The tag is looked up each time; an upstream that is away does not
 * stop a build whose base image is here.
 */
export class UpstreamImages {
  readonly #options: UpstreamImagesOptions;
  readonly #tokens = new UpstreamTokens();
  readonly #answers = new Map<string, Promise<ToolsAnswer | null>>();

  constructor(options: UpstreamImagesOptions) {
    this.#options = options;
  }

  /** Or why it cannot be had. */
  async copy(text: string, context: CopyContext): Promise<CopiedImage | MissingImage> {
    try {
      return await this.#copy(parseImageReference(text), context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof DomainError || error instanceof ImageRefused) return { problem: error.message };
      throw error;
    }
  }

  async #copy(reference: ImageReference, context: CopyContext): Promise<CopiedImage | MissingImage> {
    const { settings, registry } = this.#options;
    const { name, origins } = await originsOf(reference, {
      mirrors: settings.imageMirrors,
      credentials: await this.#credentials(),
      allowPrivateNetworks: settings.allowPrivateNetworks,
      askTools: (asked) => this.#ask(asked),
      signal: context.signal,
    });
    const copy = await ensureCopy(registry, nameOfCopy(settings, name), name.host);
    const known = await this.#known(copy, reference, context);
    // Bytes of a digest never change.
    if (known && reference.digest !== null) return known;
    const problems: string[] = [];
    let mayBeOld = false;
    let mayCome = false;
    for (const origin of origins) {
      try {
        return await this.#copyFrom(origin, reference, { ...context, copy, hasOther: known !== null });
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof DomainError) && !(error instanceof ImageRefused)) throw error;
        problems.push(problemOf(origin, error));
        mayBeOld = isAway(error);
        mayCome ||= error instanceof NetworkError && error.retryable;
      }
    }
    const problem = problems.join('; ');
    if (!known || !mayBeOld) return { problem, ...(mayCome && { isAway: true }) };
    context.log.warn(`Warning: ${nameText(name)} is used as it was when it was fetched last (${problem})`);
    return known;
  }

  /** What is here already, for the platform. */
  async #known(
    copy: PushedImage,
    reference: ImageReference,
    context: CopyContext,
  ): Promise<CopiedImage | null> {
    const { registry } = this.#options;
    const { tag, digest } = reference;
    const top = await findCopy(registry, copy, digest === null ? { tag: tag! } : { digest });
    if (!top) return null;
    const document = parseManifest(top.bytes, top.mediaType);
    if (document.kind === 'image') return { path: copy.image.path, digest: top.digest };
    const part = partFor(document, context.platform);
    const found = part === null ? null : await findCopy(registry, copy, { digest: part });
    return found && { path: copy.image.path, digest: found.digest };
  }

  async #copyFrom(
    origin: Origin,
    { tag, digest }: ImageReference,
    context: CopyContext & { copy: PushedImage; hasOther: boolean },
  ): Promise<CopiedImage> {
    const { registry, scheduler } = this.#options;
    const { copy, log, signal, hasOther } = context;
    const upstream = new UpstreamRegistry({
      origin,
      downloads: scheduler,
      tokens: this.#tokens,
      context: { log, signal },
    });
    const wanted = digest ?? (await upstream.digestOf(tag!, hasOther ? RETRIES_WITH_OTHER : undefined));
    const top = await this.#manifest(upstream, copy, wanted ?? tag!);
    const document = parseManifest(top.bytes, top.mediaType);
    const digestOfImage = await this.#copyImage(upstream, top, document, context);
    const kept = await findCopy(registry, copy, tag === null ? { digest: top.digest } : { tag });
    if (kept?.digest !== top.digest) await addManifestToCopy(registry, copy, { ...top, tag });
    return { path: copy.image.path, digest: digestOfImage };
  }

  /** All that the image needs, except what its tag is on. Returns the digest of its manifest for the platform. */
  async #copyImage(
    upstream: UpstreamRegistry,
    top: CachedManifest,
    document: ManifestDocument,
    context: CopyContext & { copy: PushedImage },
  ): Promise<Digest> {
    const { registry } = this.#options;
    const { copy, platform } = context;
    if (document.kind === 'image') {
      await this.#fetchBlobs(upstream, document, context);
      return top.digest;
    }
    const part = partFor(document, platform);
    if (part === null) throw new ImageRefused(`it does not exist for ${platformText(platform)}`);
    if (await findCopy(registry, copy, { digest: part })) return part;
    const manifest = await this.#manifest(upstream, copy, part);
    const image = parseManifest(manifest.bytes, manifest.mediaType);
    if (image.kind !== 'image') throw new ImageRefused('its index has an index in it');
    await this.#fetchBlobs(upstream, image, context);
    await addManifestToCopy(registry, copy, { ...manifest, tag: null });
    return part;
  }

  /** From here, if it is here; otherwise only its bytes, nothing is stored yet. */
  async #manifest(upstream: UpstreamRegistry, copy: PushedImage, reference: string): Promise<CachedManifest> {
    const { registry, settings } = this.#options;
    const found = reference.includes(':')
      ? await findCopy(registry, copy, { digest: reference as Digest })
      : null;
    return found ?? (await upstream.manifest(reference, settings.limits.manifestBytes));
  }

  async #fetchBlobs(
    upstream: UpstreamRegistry,
    { config, layers }: ManifestDocument,
    context: CopyContext & { copy: PushedImage },
  ): Promise<void> {
    const { registry, settings } = this.#options;
    const all = [...(config ? [config] : []), ...layers.filter(isDistributed)];
    const sizes = new Map(all.map(({ address, size }) => [address as Digest, size]));
    const here = await blobsOfCopies(registry, context.copy, [...sizes.keys()]);
    const missing = [...sizes].filter(([digest]) => !here.has(digest));
    if (missing.length === 0) return;
    const progress = new Progress(context, missing);
    const tooLarge = missing.find(([, size]) => size > settings.limits.artifactBytes);
    if (tooLarge) {
      throw new ImageRefused(
        `its layer ${tooLarge[0]} is larger than ${settings.limits.artifactBytes} bytes`,
      );
    }
    const stop = new AbortController();
    const signal = AbortSignal.any([context.signal, stop.signal]);
    try {
      const outcomes = await Promise.allSettled(
        missing.map(([digest, size]) =>
          this.#fetchBlob(upstream, { ...context, signal, digest, size, progress }).catch(
            (error: unknown) => {
              stop.abort(error);
              throw error;
            },
          ),
        ),
      );
      signal.throwIfAborted();
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    } finally {
      progress.end();
    }
  }

  /** By this build, or by another one that wants the same just now. */
  async #fetchBlob(
    upstream: UpstreamRegistry,
    wanted: CopyContext & { copy: PushedImage; digest: Digest; size: number; progress: Progress },
  ): Promise<void> {
    const { registry, scheduler } = this.#options;
    const { copy, digest, size, progress, signal } = wanted;
    const { inFlight } = scheduler;
    const key = `image-blob:${digest}`;
    for (let other = inFlight.get(key); other; other = inFlight.get(key)) {
      await untilAborted(other, signal);
      if ((await blobsOfCopies(registry, copy, [digest])).has(digest)) return progress.add(size);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    inFlight.set(key, promise);
    const release = scheduler.unrecorded.hold(digest);
    try {
      const blob = await upstream.blob({
        digest,
        maxBytes: size,
        blobs: registry.blobs,
        onBytes: (count) => progress.add(count),
      });
      await registry.blobs.sync([blob.digest]);
      await addBlobToCopy(registry, copy, blob);
    } finally {
      release();
      inFlight.delete(key);
      resolve();
    }
  }

  /** Read for each build: the operator may have changed them. */
  async #credentials(): Promise<ImageCredentials> {
    const { imageAuthFile } = this.#options.settings;
    return imageAuthFile === null ? NO_CREDENTIALS : await readImageCredentials(imageAuthFile);
  }

  #ask(name: string): Promise<ToolsAnswer | null> {
    const known = this.#answers.get(name);
    if (known) return known;
    if (this.#answers.size >= MOST_ANSWERS) this.#answers.clear();
    const asking = (this.#options.askTools ?? askSkopeo)(name);
    this.#answers.set(name, asking);
    return asking;
  }
}

const MOST_ANSWERS = 10_000;
/** Of asking for a tag, when an older image is here. */
const RETRIES_WITH_OTHER = 1;
const REPORT_MS = 5000;

/** What is fetched, told every few seconds. */
class Progress {
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;

  constructor({ log }: Pick<CopyContext, 'log'>, missing: readonly (readonly [Digest, number])[]) {
    const total = missing.reduce((sum, [, size]) => sum + size, 0);
    log.info(
      `Fetching ${missing.length === 1 ? 'one blob' : `${missing.length} blobs`} of ${megabytes(total)}`,
    );
    this.#timer = setInterval(
      () => log.info(`Fetched ${megabytes(this.#bytes)} of ${megabytes(total)}`),
      REPORT_MS,
    );
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Of an index; null: there is none for the platform. */
function partFor({ children }: ManifestDocument, wanted: Platform): Digest | null {
  const part = children.find(({ platform }) => platform !== null && matchesPlatform(platform, wanted));
  return part?.address.startsWith('sha256:') ? (part.address as Digest) : null;
}
