import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { addImageBlob } from '../../src/domain/database/sql/image-blobs.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { parseImageName } from '../../src/domain/registry/image-name.ts';
import { requirePushAccess } from '../../src/domain/registry/push-access.ts';
import { putManifest } from '../../src/domain/registry/put-manifest.ts';
import { addressOf } from '../../src/domain/registry/reference.ts';
import type { Registry } from '../../src/domain/registry/registry.ts';
import type { Digest } from '../../src/domain/storage/blob-store.ts';
import type { BuiltImage, ImageBuild } from '../../src/workers/builders/image-builder.ts';
import type { ImageBuilding } from '../../src/workers/builders/image-building.ts';

const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Runs whatever the test wants instead of a Dockerfile; then the image is in the registry, as if it had been pushed. */
export class FakeImageBuilding implements ImageBuilding {
  /** Opened when the database is there. */
  registry: Registry | null = null;
  readonly builds: ImageBuild[] = [];
  /** What a build does before its push. */
  work: (input: ImageBuild) => Promise<void> = async () => undefined;

  readonly builder = {
    name: 'buildah' as const,
    build: async (input: ImageBuild): Promise<BuiltImage> => {
      this.builds.push(input);
      await this.work(input);
      input.signal.throwIfAborted();
      return await this.#push(input);
    },
  };

  async destinationOf({ imagePath }: { imagePath: string }) {
    return { url: 'http://registry.example', path: imagePath, credentials: { username: 'x', password: 'y' } };
  }

  /** Two builds of the same context with the same arguments make the same image. */
  async #push({ destination, buildArguments, labels }: ImageBuild): Promise<BuiltImage> {
    const registry = this.registry!;
    const image = parseImageName(destination.path, registry.settings);
    const { imageId } = await requirePushAccess(registry, SYSTEM, image);
    const config = Buffer.from(JSON.stringify({ buildArguments, labels }));
    const blob = await registry.blobs.write(config);
    await addImageBlob(registry.database.sql, { imageId, blob, sha512: null, uploadId: null });
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE,
        config: {
          mediaType: 'application/vnd.oci.image.config.v1+json',
          digest: `sha256:${createHash('sha256').update(config).digest('hex')}`,
          size: config.length,
        },
        layers: [],
      }),
    );
    await putManifest(registry, SYSTEM, image, {
      ...{ reference: { tag: destination.tag }, tags: [], bytes, contentType: MEDIA_TYPE },
    });
    return {
      digest: addressOf(bytes, 'sha256') as Digest,
      mediaType: MEDIA_TYPE,
      size: config.length,
      baseImages: [],
      builder: { name: 'fake', version: '1' },
    };
  }
}

/** A build that goes on until it is told to stop. */
export async function untilAborted({ signal }: ImageBuild): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
