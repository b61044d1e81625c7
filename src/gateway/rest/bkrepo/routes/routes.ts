import type { BkrepoRoute } from '../route.ts';
import {
  createAccount,
  createCredential,
  deleteAccount,
  deleteCredential,
  listAccounts,
  listCredentials,
} from './accounts.ts';
import { createPermission } from './create-permission.ts';
import { createProject } from './create-project.ts';
import { createRepository } from './create-repository.ts';
import { deleteApiImage, deleteExtImage } from './delete-image.ts';
import { deleteProject } from './delete-project.ts';
import { deleteRepository } from './delete-repository.ts';
import { deleteApiTag, deleteExtTag } from './delete-tag.ts';
import { listApiImages, listExtImages } from './list-images.ts';
import { listRepositories, pageRepositories } from './list-repositories.ts';
import { listApiTags, listExtTags } from './list-tags.ts';
import { pagePackages, pageVersions, readPackage } from './packages.ts';
import { readQuota, writeQuota } from './quota.ts';
import { readAddress } from './read-address.ts';
import { readApiDetail, readExtDetail } from './read-detail.ts';
import { readLayer } from './read-layer.ts';
import { readManifest } from './read-manifest.ts';
import { readApiOpenapi, readExtOpenapi } from './read-openapi.ts';
import { listProjects, projectExists, readProject } from './read-projects.ts';
import { readRepository, repositoryExists } from './read-repository.ts';
import { readStages, upgradeStage } from './stages.ts';
import { updateProject } from './update-project.ts';
import { updateRepository } from './update-repository.ts';
import { createUserToken, deleteUserToken } from './user-tokens.ts';
import { createProjectOwner, createRepositoryOwner, createUser } from './users.ts';

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
  ...readExtOpenapi,
  ...readApiOpenapi,
  createProject,
  listProjects,
  projectExists,
  readProject,
  updateProject,
  deleteProject,
  createRepository,
  updateRepository,
  deleteRepository,
  ...readRepository,
  repositoryExists,
  listRepositories,
  pageRepositories,
  readQuota,
  writeQuota,
  pagePackages,
  readPackage,
  pageVersions,
  ...readStages,
  ...upgradeStage,
  createUser,
  createProjectOwner,
  createRepositoryOwner,
  createPermission,
  createAccount,
  listAccounts,
  deleteAccount,
  listCredentials,
  createCredential,
  deleteCredential,
  createUserToken,
  deleteUserToken,
];
