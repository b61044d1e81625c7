import { attachAttestations } from '../../domain/images/attestations.ts';
import { version } from '../../domain/version.ts';
import type { BuiltImage } from '../builders/image-builder.ts';
import type { PreparedContext } from './build-context.ts';
import type { BuildContext } from './build-image.ts';
import type { TaskServices } from './task-services.ts';

/** Attaches what is known of an image to it, before the build counts as succeeded. */
export async function attestImage(
  services: TaskServices,
  { build }: BuildContext,
  prepared: Pick<PreparedContext, 'from' | 'documents'>,
  image: BuiltImage,
): Promise<void> {
  const { dockerfile, target, buildArguments, labels, platform, isHermetic, secretIds } = build.options;
  await attachAttestations(
    services.registry,
    await services.signer(),
    {
      name: build.imagePath,
      digest: image.digest,
      from: prepared.from,
      parameters: { dockerfile, target, buildArguments, labels, platform, isHermetic, secretIds },
      baseImages: image.baseImages,
      tool: image.builder,
      builder: { id: 'https://stowage.example/builders/worker', version },
      invocationId: `image-build/${build.id}/${build.attempt}`,
      startedOn: build.startedAt!,
      finishedOn: new Date(),
    },
    prepared.documents,
  );
}
