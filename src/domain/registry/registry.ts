import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { openStagedBlobs, type StagedBlobs } from '../storage/staged-blobs.ts';
import { ImageLookups } from './image-lookups.ts';
import { ManifestContents } from './manifest-contents.ts';
import { PullRecorder } from './pull-recorder.ts';
import { UploadSessions } from './upload-sessions.ts';

export type RegistrySettings = Pick<
  Settings,
  | 'registryAutoCreate'
  | 'registryAnonymous'
  | 'registryDefaultProject'
  | 'registryDefaultRepository'
  | 'registryBlobBytes'
  | 's3Redirects'
  | 'limits'
>;

/** What the functions of the registry work with; one for a process. */
export interface Registry {
  readonly settings: RegistrySettings;
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly staged: StagedBlobs;
  readonly lookups: ImageLookups;
  readonly contents: ManifestContents;
  readonly uploads: UploadSessions;
  readonly pulls: PullRecorder;
  /** Ends uploads that are running (they can be gone on with elsewhere), and writes down what is only counted. */
  close(): Promise<void>;
}

export function openRegistry(options: {
  settings: RegistrySettings;
  database: Database;
  blobs: BlobStore;
  /** Told of failures that no client is told of. */
  onError?: (error: unknown) => void;
}): Registry {
  const { settings, database, blobs, onError = () => undefined } = options;
  const staged = openStagedBlobs(blobs);
  const uploads = new UploadSessions(database, staged);
  const pulls = new PullRecorder(database, onError);
  return {
    settings,
    database,
    blobs,
    staged,
    lookups: new ImageLookups(database),
    contents: new ManifestContents(blobs),
    uploads,
    pulls,
    async close() {
      await uploads.close();
      await pulls.close();
    },
  };
}
