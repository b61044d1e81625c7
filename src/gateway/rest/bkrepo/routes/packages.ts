import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { PACKAGE_INFO, PACKAGES } from '../operations/packages.ts';
import { VERSIONS } from '../operations/versions.ts';
import { packageOf, repositoryOf } from '../parameters/names.ts';
import { optionalPagingOf } from '../parameters/paging.ts';
import { parameter } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';
import { packageKey, packageRecord, versionRecord } from '../shapes/package-records.ts';
import { genericPage } from '../shapes/repositories.ts';

/** Images and tags in the words of the generic API (bkrepo-docker.md 2.2). */

export const pagePackages: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/package/page/:projectId/:repoName',
  async handle({ run }, request, reply) {
    const repository = repositoryOf(request);
    const paging = optionalPagingOf(request);
    const asked = { ...repository, ...paging, name: parameter(request, 'packageName') };
    const { namedRepository, imagePackages } = await run(PACKAGES, asked);
    const { total, rows } = imagePackages;
    const records = rows.map((row) => packageRecord(row, { ...repository, ...namedRepository }));
    return sendData(request, reply, genericPage(paging, total, records));
  },
};

export const readPackage: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/package/info/:projectId/:repoName',
  async handle({ run }, request, reply) {
    const image = packageOf(request);
    const { namedRepository, imagePackage } = await run(PACKAGE_INFO, image);
    if (imagePackage === null) {
      throw new BkrepoError('PACKAGE_NOT_FOUND', packageKey(namedRepository, image.image));
    }
    return sendData(request, reply, packageRecord(imagePackage, { ...image, ...namedRepository }));
  },
};

export const pageVersions: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/version/page/:projectId/:repoName',
  async handle({ run }, request, reply) {
    const image = packageOf(request);
    const paging = optionalPagingOf(request);
    const stages = parameter(request, 'stageTag')?.split(',') ?? null;
    const asked = { ...image, ...paging, name: parameter(request, 'version'), stages };
    const { total, rows } = (await run(VERSIONS, asked)).imageVersions;
    return sendData(request, reply, genericPage(paging, total, rows.map(versionRecord)));
  },
};
