import type { Arrange } from '../../domain/package-registries/bundled-files.ts';
import {
  arrangeNpm,
  arrangeYarn,
  findNpmTarball,
  findNpmVersions,
  type NpmPackages,
  packument,
} from '../../domain/package-registries/npm-packages.ts';
import { textRepresentation } from '../downloads/representation.ts';
import { fileAnswer, nothingThere, type Registry, type RegistryAnswer } from './registry-request.ts';

const ABBREVIATED = 'application/vnd.npm.install-v1+json';

/** `<name>`, `@scope/name`; their tarballs below `/-/`. */
const PACKAGE = /^(?<name>@[^/]+\/[^/]+|[^@/-][^/]*)$/;
const TARBALL = /^(?<name>@[^/]+\/[^/]+|[^@/][^/]*)\/-\/(?<fileName>[^/]+)$/;

export const npmRegistry: Registry = registry(arrangeNpm);
/** The same for yarn, over what yarn's lock files name. */
export const yarnRegistry: Registry = registry(arrangeYarn);

function registry(arrange: Arrange<NpmPackages>): Registry {
  return async (request) => {
    const { services, bundle, url, path, accept } = request;
    if (path === '-/ping') return json({}, 'application/json');
    const packages = await services.contents.view(bundle, arrange);

    const tarball = TARBALL.exec(path)?.groups;
    if (tarball) {
      const versions = await findNpmVersions(packages, services.facts, tarball.name!);
      const file = findNpmTarball(versions, tarball.name!, tarball.fileName!);
      return fileAnswer(request, file, 'application/octet-stream');
    }
    const name = PACKAGE.exec(path)?.groups?.name;
    const versions = name === undefined ? [] : await findNpmVersions(packages, services.facts, name);
    if (name === undefined || versions.length === 0) throw nothingThere();
    const abbreviated = accept.includes(ABBREVIATED);
    const document = await packument(name, versions, services.facts, { abbreviated, registryUrl: url });
    return json(document, abbreviated ? ABBREVIATED : 'application/json');
  };
}

function json(document: object, contentType: string): RegistryAnswer {
  return {
    representation: textRepresentation(JSON.stringify(document), {
      contentType,
      fileName: 'package.json',
      disposition: 'inline',
    }),
  };
}
