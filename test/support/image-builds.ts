import { readSettings, type Settings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { insertUpload } from '../../src/domain/database/sql/insert-upload.ts';
import { recordBlobs } from '../../src/domain/database/sql/record-blobs.ts';
import { insertManifest, moveTags } from '../../src/domain/database/sql/registry-manifests.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import type { BuildSubmission } from '../../src/domain/images/build-submission.ts';
import type { BuildResult } from '../../src/domain/images/change-build-state.ts';
import type { ImageBuild } from '../../src/domain/images/image-build.ts';
import { ensurePlace } from '../../src/domain/images/published-images.ts';
import { type BuildLease, takeBuild } from '../../src/domain/images/run-build.ts';
import { stagingTag } from '../../src/domain/images/staging-tag.ts';
import { type PublishPolicy, submitBuild } from '../../src/domain/images/submit-build.ts';
import type { Digest } from '../../src/domain/storage/blob-store.ts';

/** The defaults, untouched by the environment of whoever runs the tests. */
const defaultSettings: Settings = readSettings({});

const BUILD_WORKER = '00000000-0000-4000-8000-00000000000b';

async function addUpload(database: Database): Promise<number> {
  const blob = { digest: `sha256:${'7'.repeat(64)}` as const, size: 7, crc32: 0 };
  await recordBlobs(database.sql, [blob]);
  return (await insertUpload(database.sql, { ...blob, userId: null, fileName: 'source.tar' })).id;
}

/** A build in the project `apps`, which must be there, as the system wants it. */
export async function submitImageBuild(
  database: Database,
  submission: BuildSubmission & {
    image?: string;
    version?: string;
    project?: string;
    policy?: PublishPolicy;
    settings?: Settings;
  } = {},
): Promise<ImageBuild> {
  const {
    image = 'web',
    version = '1.0',
    project = 'apps',
    policy = 'replace',
    settings,
    ...rest
  } = submission;
  const hasSource = rest.repository != null || rest.uploadId != null || rest.requestId != null;
  return await submitBuild(
    database,
    settings ?? defaultSettings,
    SYSTEM,
    { projectName: project, repository: 'images', name: image, version },
    { ...(!hasSource && { uploadId: await addUpload(database) }), ...rest },
    policy,
  );
}

/** Takes a build as a worker would. */
export async function takeImageBuild(
  database: Database,
  { id, retries }: Pick<ImageBuild, 'id' | 'retries'>,
  workerId = BUILD_WORKER,
): Promise<BuildLease | null> {
  return await takeBuild(database, { buildId: id, retries }, workerId);
}

/** What a builder leaves in the registry, and tells of it. */
export async function pushResult(
  database: Database,
  { build }: BuildLease,
  fill = '9',
): Promise<BuildResult> {
  const digest: Digest = `sha256:${fill.repeat(64)}`;
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  await recordBlobs(database.sql, [{ digest, size: 2, crc32: 0 }]);
  await database.transaction(async ({ sql }) => {
    const place = { projectId: build.projectId, repository: 'images', path: build.imagePath, userId: null };
    const imageId = await ensurePlace({ sql }, place);
    const { id } = await insertManifest(sql, {
      ...{ imageId, digest, sha512: null, mediaType, size: 2, artifactType: null, annotations: null },
      ...{ subject: null, configDigest: null, configMediaType: null },
      ...{ os: null, architecture: null, variant: null, userId: null },
    });
    await moveTags(sql, { imageId, manifestId: id, tags: [stagingTag(build)], userId: null });
  });
  return { digest, mediaType, size: 1234, baseImages: [], builder: { name: 'fake', version: '1' } };
}

/** Tags of a registry image with their digests. */
export async function tagsOf(database: Database, path: string): Promise<Record<string, string>> {
  const rows = await database.sql.query<{ name: string; digest: string }>(
    `select t.name, m.digest from tags t join manifests m on m.id = t.manifest_id join images i on i.id = t.image_id
     where i.path = $1 order by t.name`,
    [path],
  );
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
}
