import type { BkrepoRoute } from '../route.ts';
import { deleteApiImage, deleteExtImage } from './delete-image.ts';
import { deleteApiTag, deleteExtTag } from './delete-tag.ts';
import { listApiImages, listExtImages } from './list-images.ts';
import { listApiTags, listExtTags } from './list-tags.ts';
import { readAddress } from './read-address.ts';
import { readApiDetail, readExtDetail } from './read-detail.ts';
import { readLayer } from './read-layer.ts';
import { readManifest } from './read-manifest.ts';

/** Every call of both documents and of what their clients need besides (bkrepo-docker.md 1, 2.2, 3.2). */
export const ROUTES: readonly BkrepoRoute[] = [
  ...readManifest,
  ...readLayer,
  ...listExtImages,
  listApiImages,
  ...listExtTags,
  listApiTags,
  ...deleteExtImage,
  deleteApiImage,
  ...deleteExtTag,
  deleteApiTag,
  ...readExtDetail,
  readApiDetail,
  ...readAddress,
];
