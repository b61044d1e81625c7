import { compareText } from '../code-point-order.ts';
import type { Dependency, ResolvedPackage } from '../packages/package.ts';
import { dependencyPurl, GoModules, packagePurl, type RequestSource } from './content-purl.ts';

/** What one request contributes to a content manifest. */
export interface ManifestedRequest extends RequestSource {
  /** As reported; see ../packages/reported-packages.ts. */
  packages: readonly ResolvedPackage[];
}

/** The image content manifest (ICM, cachito.md 5.3). */
export interface ContentManifest {
  metadata: { icm_version: 1; icm_spec: string; image_layer_index: -1 };
  image_contents: ImageContent[];
}

interface ImageContent {
  purl: string;
  dependencies: Purl[];
  sources: Purl[];
}

interface Purl {
  purl: string;
}

/** A fixed string of the contract; nobody fetches it. */
const SPECIFICATION =
  'https://raw.githubusercontent.com/containerbuildsystem/atomic-reactor/f4abcfdaf8247a6b074f94fa84f3846f82d781c6/atomic_reactor/schemas/content_manifest.json';

/**
 * The content manifest of one or several requests (cachito.md 5.3, 5.4): their contents one after another, sorted by purl,
 * repeats kept. Throws DomainError `not-implemented` for what has no purl (cachito.md: 501).
 */
export function contentManifest(requests: readonly ManifestedRequest[]): ContentManifest {
  return {
    metadata: { icm_version: 1, icm_spec: SPECIFICATION, image_layer_index: -1 },
    image_contents: byPurl(requests.flatMap(contentsOf)),
  };
}

/** One manifest of several: their contents sorted together, repeats kept (cachito.md 5.4). */
export function mergeContentManifests(manifests: readonly ContentManifest[]): ContentManifest {
  return { ...contentManifest([]), image_contents: byPurl(manifests.flatMap((one) => one.image_contents)) };
}

/** The manifest as it is served: its digest is in the provenance. */
export function contentManifestText(requests: readonly ManifestedRequest[]): string {
  return `${JSON.stringify(contentManifest(requests))}\n`;
}

/** Go modules have no entry of their own: they are the sources of their packages. */
function contentsOf(request: ManifestedRequest): ImageContent[] {
  const modules = new GoModules(request.packages);
  return request.packages
    .filter((one) => one.type !== 'gomod')
    .map((one) => ({ purl: packagePurl(one, request), ...partsOf(one, request, modules) }));
}

function partsOf(
  one: ResolvedPackage,
  request: ManifestedRequest,
  modules: GoModules,
): Pick<ImageContent, 'dependencies' | 'sources'> {
  const purls = (owner: ResolvedPackage, dependencies: readonly Dependency[]): Purl[] =>
    byPurl(dependencies.map((dependency) => ({ purl: dependencyPurl(dependency, owner, request, modules) })));
  switch (one.type) {
    case 'git-submodule':
      return { dependencies: [], sources: [] };
    case 'go-package': {
      const module = modules.containing(one.name);
      return {
        dependencies: purls(
          one,
          one.dependencies.filter(({ type }) => type === 'go-package'),
        ),
        sources: module
          ? purls(
              module,
              module.dependencies.filter(({ type }) => type === 'gomod'),
            )
          : [],
      };
    }
    default:
      return {
        dependencies: purls(
          one,
          one.dependencies.filter(({ dev }) => dev !== true),
        ),
        sources: purls(one, one.dependencies),
      };
  }
}

function byPurl<T extends Purl>(list: T[]): T[] {
  return list.sort((a, b) => compareText(a.purl, b.purl));
}
