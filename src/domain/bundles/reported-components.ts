import { compareText } from '../code-point-order.ts';
import type { PackageName } from '../packages/package.ts';
import type { ManifestedRequest } from './content-manifest.ts';
import { dependencyPurl, GoModules, packagePurl } from './content-purl.ts';

/** A row of the short SBOM that Cachito's clients read (cachito.md 5.5). */
export interface ReportedComponent {
  name: string;
  purl: string;
  version: string | null;
}

/** Every package of a request and every dependency, dev ones too, as often as they are reported. */
export function reportedComponents(request: ManifestedRequest): ReportedComponent[] {
  const modules = new GoModules(request.packages);
  return request.packages.flatMap((one) => [
    componentOf(one, packagePurl(one, request)),
    ...one.dependencies.map((dependency) =>
      componentOf(dependency, dependencyPurl(dependency, one, request, modules)),
    ),
  ]);
}

/** By purl, name and version, without repeats. */
export function uniqueComponents(components: readonly ReportedComponent[]): ReportedComponent[] {
  const sorted = [...components].sort(compareComponents);
  return sorted.filter((one, at) => at === 0 || compareComponents(sorted[at - 1]!, one) !== 0);
}

function componentOf({ name, version }: PackageName, purl: string): ReportedComponent {
  return { name, purl, version };
}

function compareComponents(a: ReportedComponent, b: ReportedComponent): number {
  return (
    compareText(a.purl, b.purl) ||
    compareText(a.name, b.name) ||
    compareText(a.version ?? '', b.version ?? '') ||
    Number(a.version !== null) - Number(b.version !== null)
  );
}
