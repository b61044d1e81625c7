import type { FandoghRoute } from '../route.ts';
import { changeAccount, readAccount } from './accounts.ts';
import { createImage } from './create-image.ts';
import { deleteImage } from './delete-image.ts';
import { readLatestVersion } from './latest-version.ts';
import { listImages } from './list-images.ts';
import { listVersions } from './list-versions.ts';
import { logIn } from './log-in.ts';
import { createNamespace, listNamespaces, readNamespace } from './namespaces.ts';
import { readBuilds } from './read-builds.ts';
import { reportError } from './report-error.ts';

/** Every call of the dialect but {@link file://./publish-version.ts}, which reads its body itself. */
export const ROUTES: readonly FandoghRoute[] = [
  listImages,
  createImage,
  deleteImage,
  listVersions,
  readBuilds,
  logIn,
  readAccount,
  changeAccount,
  ...listNamespaces,
  ...createNamespace,
  ...readNamespace,
  ...readLatestVersion,
  reportError,
];
