import type { Settings } from '../../domain/config.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { ImageBuild } from '../../domain/images/image-build.ts';
import { RegistryTokens } from '../../domain/registry/tokens.ts';
import { BuildahBuilder } from './buildah-builder.ts';
import { BuildkitBuilder } from './buildkit-builder.ts';
import { type GatewayWait, gatewayUrl } from './gateway-url.ts';
import type { ImageBuilder, ImageDestination } from './image-builder.ts';
import { UpstreamImages, type UpstreamImagesOptions } from './upstream-images/upstream-images.ts';

/** What builds images in this process, and where they go. */
export interface ImageBuilding {
  builder: ImageBuilder;
  /** The tag is that of the build's attempt. */
  destinationOf(build: ImageBuild, wait: GatewayWait): Promise<Omit<ImageDestination, 'tag'>>;
}

/** For what comes before and after the steps. */
const MARGIN_SECONDS = 3600;

/** By the settings. Throws BuildFailure `builder-unavailable`. */
export async function openImageBuilding(options: UpstreamImagesOptions): Promise<ImageBuilding> {
  const { settings, registry } = options;
  const { database } = registry;
  const tokens = new RegistryTokens(database);
  return {
    builder: openBuilder(settings, new UpstreamImages(options)),
    async destinationOf({ id, attempt, userId, imagePath, options }, wait) {
      const url = settings.registryUrl ?? (await gatewayUrl(database.sql, wait));
      if (userId === null) {
        throw new BuildFailure('push-failed', 'Nobody may push: the user who asked for the build is gone');
      }
      const seconds = (options.timeoutSeconds ?? settings.buildSeconds) + MARGIN_SECONDS;
      const password = await tokens.issueForBuild(userId, { id, attempt }, imagePath, seconds);
      return { url, path: imagePath, credentials: { username: 'build', password } };
    },
  };
}

function openBuilder(settings: Settings, upstream: UpstreamImages): ImageBuilder {
  switch (settings.builder) {
    case 'buildah':
      return new BuildahBuilder(settings, upstream);
    case 'buildkit':
      return new BuildkitBuilder(settings, upstream);
  }
}
