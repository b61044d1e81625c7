import type { Digest } from '../../domain/storage/blob-store.ts';

/**
 * Turns a directory with a Dockerfile into an image in our own registry. Implementations: buildah (default), BuildKit.
 *
 * A RUN step is hostile code: it sees none of our processes, files, sockets and credentials, and reaches none of our
 * networks. `build` resolves when the image is in the registry under `destination`, and rejects with a BuildFailure
 * (src/domain/images/build-failure.ts), or with the signal's reason within two seconds of its abort; in each case no
 * process, mount or file of it is left.
 */
export interface ImageBuilder {
  readonly name: 'buildah' | 'buildkit';
  build(input: ImageBuild): Promise<BuiltImage>;
}

export interface ImageBuild {
  /** Prepared for this build alone, which may change it: no path in it leads out of it. */
  contextDirectory: string;
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
  /** Stage to end at; null: the last one. */
  target: string | null;
  buildArguments: Readonly<Record<string, string>>;
  /** Mounted for steps that ask for them (`RUN --mount=type=secret,id=…`): never in layers, history or log. */
  secrets: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** `os/architecture[/variant]`; null: the machine's own. */
  platform: string | null;
  /** Whether layers of earlier builds of the same project may be used again, and those of this one kept. */
  useCache: boolean;
  /** Layers are shared by the builds of one project only: its id. */
  cacheScope: string;
  /** Hermetic: steps have no network but `lo`. */
  isHermetic: boolean;
  /** Seen by every step, never in a layer: the bundle of a hermetic build, and where its package managers keep caches. */
  mounts: readonly StepMount[];
  /** Set for every step, never in the image: where package managers find the bundle. */
  stepEnvironment: Readonly<Record<string, string>>;
  /** Seconds since 1970: the time of everything in the image. */
  sourceDateEpoch: number;
  limits: BuildLimits;
  destination: ImageDestination;
  /**
   * Each line that the builder or a step writes, without its end. May be called very often: gives a promise when lines
   * come faster than they can be kept, and is called again only when that is resolved.
   */
  onLine: (line: string) => Promise<void> | null;
  /** Told the line of the Dockerfile at which the build is, again and again. */
  onStep: (line: number) => void;
  signal: AbortSignal;
  /** Of this build alone, and removed by who made it. */
  temporaryDirectory: string;
}

interface StepMount {
  directory: string;
  path: string;
  /** Steps may write there, and later ones of the same build see it; default: they may not. */
  isWritable?: boolean;
}

export interface BuildLimits {
  seconds: number;
  memoryBytes: number;
  processes: number;
  /** Of all that the build writes. */
  diskBytes: number;
}

/** Where the image goes, over `/v2`. */
export interface ImageDestination {
  /** Of the registry, e.g. `http://127.0.0.1:8080`. */
  url: string;
  /** `project/repository/image`. */
  path: string;
  tag: string;
  /** Can do this push, and read what the build may use as a base; nothing else. */
  credentials: { username: string; password: string };
}

export interface BuiltImage {
  /** Of the manifest. */
  digest: Digest;
  mediaType: string;
  /** Config and layers, compressed. */
  size: number;
  /** In the order of the Dockerfile. */
  baseImages: readonly { name: string; digest: Digest }[];
  builder: { name: string; version: string };
}
