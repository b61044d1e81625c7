import { posix } from 'node:path';
import { GO_SUM, MISSING_HASH } from '../../../domain/bundles/sbom/component-properties.ts';
import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import { ValidationError } from '../../../domain/errors.ts';
import type { DescribeContext, LockDescription, LockFiles } from '../ecosystem.ts';
import { pathInSource } from '../locked-files.ts';
import { isFile, readCapped } from '../source-files.ts';
import { type GoModFile, parseGoMod } from './go-mod-file.ts';
import { type GoSum, parseGoSum } from './go-sum.ts';
import { escapeModulePath, escapeVersion, type ModuleVersion, moduleKey } from './module-path.ts';
import { golangPurl, localPurl } from './purl.ts';

export const locks: LockFiles = { fileNames: ['go.mod', 'go.sum'], describe };

/**
 * The modules that go.mod and go.sum name. Since Go 1.17 go.mod names all that are needed to build; in older ones go.sum
 * tells of the others, some of which may be needed by nothing any more.
 */
async function describe(context: DescribeContext): Promise<LockDescription> {
  const { directory, location } = context;
  const [modPath, sumPath] = [posix.join(directory, 'go.mod'), posix.join(directory, 'go.sum')];
  const goMod = parseGoMod(modPath, await read(context, modPath));
  const { module } = goMod;
  if (module === null) {
    throw new ValidationError('invalid-lockfile', `The file ${modPath} has no module line`);
  }
  escapeModulePath(module);
  const hasSums = isFile(context.source, sumPath);
  const sums = parseGoSum(sumPath, hasSums ? await read(context, sumPath) : '');

  const rows = new ComponentRows();
  const leftOut: string[] = [];
  const refs: string[] = [];
  for (const needed of neededModules(goMod, sums)) {
    try {
      refs.push(addModule(rows, needed, goMod, sums, context));
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      leftOut.push(error.message);
    }
  }
  const purl = localPurl('module', module, null, location, directory);
  const main = componentRow({ purl, name: module, version: null, isSourcePackage: true });
  rows.add({ ...main, dependsOn: refs });
  return { lockFiles: hasSums ? [modPath, sumPath] : [modPath], components: rows.sorted(), leftOut };
}

async function read({ source, limits }: DescribeContext, path: string): Promise<string> {
  return (await readCapped(source, path, limits.lockFileBytes)).toString('utf8');
}

function neededModules(goMod: GoModFile, { zips }: GoSum): ModuleVersion[] {
  const [, minor = 0] = (goMod.go ?? '1.16').split('.').map(Number);
  if (minor >= 17) return goMod.require;
  const named = new Set([
    ...goMod.require.map(({ path }) => path),
    ...goMod.replace.map(({ newPath }) => newPath),
  ]);
  return [...goMod.require, ...[...zips.values()].filter(({ path }) => !named.has(path))];
}

/** Returns the ref of its row. */
function addModule(
  rows: ComponentRows,
  needed: ModuleVersion,
  { replace }: GoModFile,
  sums: GoSum,
  { directory, location }: DescribeContext,
): string {
  // Only what these refuse matters here.
  escapeModulePath(needed.path);
  const rules = replace.filter(({ path }) => path === needed.path);
  const rule = rules.find(({ version }) => version === needed.version) ?? rules.find((one) => !one.version);
  if (rule && rule.newVersion === null) {
    const local = pathInSource(directory, rule.newPath.replaceAll('\\', '/'));
    const purl = localPurl('module', needed.path, null, location, local);
    return rows.add(componentRow({ purl, name: needed.path, version: null, dependsOn: null }));
  }
  const { path, version } = rule ? { path: rule.newPath, version: rule.newVersion! } : needed;
  escapeModulePath(path);
  escapeVersion(version);
  const sum = sums.zips.get(moduleKey({ path, version }))?.h1;
  return rows.add(
    componentRow({
      purl: golangPurl('module', path, version),
      name: path,
      version,
      properties: sum === undefined ? { [MISSING_HASH]: posix.join(directory, 'go.sum') } : { [GO_SUM]: sum },
      dependsOn: null,
    }),
  );
}
