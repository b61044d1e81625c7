import { digestOf } from '../../domain/storage/digest-of.ts';
import type { BuiltImage, ImageDestination } from './image-builder.ts';
import { type ImageConfig, type ImageManifest, RegistryCalls } from './registry-calls.ts';

/**
 * Takes out of a pushed image what tells how it was built and not what it is: buildah writes ids of its intermediate
 * images, which depend on what other builds have left in its cache, into history and annotations. Only then the same
 * input gives the same digest. Throws BuildFailure `push-failed`.
 *
 * @param created the time of all its history
 */
export async function settlePushedImage(
  destination: ImageDestination,
  digest: string,
  created: number,
  signal: AbortSignal,
): Promise<Pick<BuiltImage, 'digest' | 'mediaType' | 'size'>> {
  const registry = new RegistryCalls(destination, destination.path, signal);
  const { body, mediaType } = await registry.manifest(digest);
  const manifest = JSON.parse(body) as ImageManifest;
  const config = JSON.parse(await registry.blob(manifest.config.digest)) as ImageConfig;
  const time = new Date(created * 1000).toISOString().replace('.000', '');
  config.created = time;
  for (const step of config.history ?? []) {
    step.created = time;
    if (step.comment?.startsWith('FROM ')) delete step.comment;
  }
  const settledConfig = Buffer.from(JSON.stringify(config));
  manifest.config = { ...manifest.config, digest: digestOf(settledConfig), size: settledConfig.length };
  const { annotations = {} } = manifest;
  for (const name of Object.keys(annotations)) {
    if (name.startsWith('org.opencontainers.image.base.')) delete annotations[name];
  }
  if (Object.keys(annotations).length === 0) delete manifest.annotations;
  const settled = Buffer.from(JSON.stringify(manifest));
  await registry.putBlob(settledConfig);
  await registry.putManifest(destination.tag, settled, mediaType);
  return {
    digest: digestOf(settled),
    mediaType,
    size: manifest.layers.reduce((sum, { size }) => sum + size, manifest.config.size),
  };
}
