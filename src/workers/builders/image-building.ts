import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { ImageBuild } from '../../domain/images/image-build.ts';
import type { ImageBuilder, ImageDestination } from './image-builder.ts';

/** What builds images in this process, and where they go. */
export interface ImageBuilding {
  builder: ImageBuilder;
  /** The tag is that of the build's attempt. */
  destinationOf(build: ImageBuild): Promise<Omit<ImageDestination, 'tag'>>;
}

/** By the settings. Throws BuildFailure `builder-unavailable`. */
export async function openImageBuilding(_database: Database, settings: Settings): Promise<ImageBuilding> {
  throw new BuildFailure('builder-unavailable', `The builder ${settings.builder} is not there`);
}
