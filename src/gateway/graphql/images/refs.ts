import type { ImageBuild } from '../../../domain/images/image-build.ts';
import type { PublishedImage, PublishedVersion } from '../../../domain/images/published-image.ts';
import { builder } from '../builder.ts';

export const PublishedImageRef = builder.objectRef<PublishedImage>('PublishedImage');
export const PublishedVersionRef = builder.objectRef<PublishedVersion>('PublishedVersion');
export const ImageBuildRef = builder.objectRef<ImageBuild>('ImageBuild');
