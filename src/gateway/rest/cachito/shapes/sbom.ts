import { type ReportedComponent, uniqueComponents } from '../../../../domain/bundles/reported-components.ts';

/** CycloneDX 1.4, as `/sbom` gives it for several requests together (cachito.md 5.5). */
export function shortSbom(components: readonly ReportedComponent[]): object {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.4',
    version: 1,
    components: uniqueComponents(components).map(({ name, purl, version }) => ({
      type: 'library',
      name,
      purl,
      ...(version !== null && { version }),
    })),
  };
}
