import { BUILD_DEPENDENCY, MISSING_HASH } from '../../../domain/bundles/sbom/component-properties.ts';
import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { DescribeContext, LockDescription, LockFiles } from '../ecosystem.ts';
import { anyHash, lockedFile } from '../locked-files.ts';
import { type Planned, pinnedRequirements } from './plan.ts';
import { dependencyPurl } from './purl.ts';
import { BUILD_REQUIREMENTS, REQUIREMENTS, readRequirements } from './requirements-tree.ts';

export const locks: LockFiles = { fileNames: [REQUIREMENTS, BUILD_REQUIREMENTS], describe };

/** Requirements that a version, a commit or a hash pins. Those of constraints count where something requires them. */
async function describe({ source, directory, limits }: DescribeContext): Promise<LockDescription> {
  const trees = await readRequirements(
    { path: directory },
    { source, rules: 'native', maxBytes: limits.lockFileBytes },
  );
  const rows = new ComponentRows();
  const leftOut: string[] = [];
  for (const tree of trees) {
    const described = pinnedRequirements(tree);
    for (const planned of described.pinned) rows.add(row(planned));
    leftOut.push(...described.leftOut);
  }
  const lockFiles = trees.flatMap(({ files, constraints }) =>
    [...files, ...constraints].map(({ path }) => path),
  );
  return { lockFiles: [...new Set(lockFiles)], components: rows.sorted(), leftOut };
}

function row(planned: Planned): SbomComponent {
  const { dev, file } = planned;
  const { name } = planned.line.requirement;
  const version = planned.kind === 'pypi' ? planned.version : null;
  const expected = expectedOf(planned);
  const url = planned.kind === 'url' ? withoutCredentials(planned.reference.url) : null;
  const isUnverified = planned.kind === 'pypi' && expected.length === 0;
  return componentRow({
    purl: dependencyPurl(planned, name, version ?? ''),
    name,
    version,
    hashes: lockedFile(url, expected).digests,
    ...(url === null ? {} : { distributionUrl: url }),
    lockFiles: [file.path],
    properties: {
      ...(dev ? { [BUILD_DEPENDENCY]: 'true' } : {}),
      ...(isUnverified ? { [MISSING_HASH]: file.path } : {}),
      ...anyHash(expected),
    },
    dependsOn: null,
  });
}

function expectedOf(planned: Planned): Parameters<typeof anyHash>[0] {
  switch (planned.kind) {
    case 'pypi':
      return planned.expected;
    case 'url':
      return [planned.reference.digest];
    case 'vcs':
      return [];
  }
}
