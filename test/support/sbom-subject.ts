import type { SbomSubject } from '../../src/domain/bundles/sbom/sbom-document.ts';
import type { SbomComponent } from '../../src/domain/bundles/sbom-component.ts';

export function component(overrides: Partial<SbomComponent> & { purl: string }): SbomComponent {
  return {
    ref: overrides.purl,
    type: 'library',
    name: 'a',
    version: '1.0.0',
    isSourcePackage: false,
    hashes: {},
    bundlePaths: [],
    properties: {},
    dependsOn: null,
    ...overrides,
  };
}

export function sbomSubject(
  components: readonly SbomComponent[],
  overrides: Partial<SbomSubject> = {},
): SbomSubject {
  return {
    identity: `sha256:${'1'.repeat(64)}`,
    repository: 'https://git.example/org/app.git',
    commit: 'c'.repeat(40),
    sourceId: 'd'.repeat(40),
    time: 1_600_000_000,
    components,
    ...overrides,
  };
}
