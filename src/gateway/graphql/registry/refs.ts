import type { Image } from '../../../domain/database/sql/image-rows.ts';
import type { Manifest } from '../../../domain/database/sql/manifest-rows.ts';
import type { Tag } from '../../../domain/database/sql/tag-rows.ts';
import { builder } from '../builder.ts';

/** Types that refer to each other; each is described in a file of its own. */
export const ImageRef = builder.objectRef<Image>('Image');
export const TagRef = builder.objectRef<Tag>('Tag');
export const ManifestRef = builder.objectRef<Manifest>('Manifest');
