import { ValidationError } from '../../../domain/errors.ts';
import { type ModuleVersion, moduleKey } from './module-path.ts';

/** The `h1:` hashes of a go.sum or go.work.sum. */
export interface GoSum {
  /** Of zip files, by `path@version`. */
  zips: Map<string, SumLine>;
  /** Of go.mod files, by `path@version`. */
  mods: Map<string, SumLine>;
}

export interface SumLine extends ModuleVersion {
  /** `h1:` and base64. */
  h1: string;
}

const MOD_SUFFIX = '/go.mod';

/** Lines with hashes of other kinds are passed over, as by the go command. */
export function parseGoSum(fileName: string, text: string): GoSum {
  const sums: GoSum = { zips: new Map(), mods: new Map() };
  for (const [index, line] of text.split('\n').entries()) {
    const fields = line.split(/\s+/).filter(Boolean);
    if (fields.length === 0) continue;
    const [path, version, h1] = fields as [string, string, string];
    if (fields.length !== 3) {
      throw new ValidationError('invalid-lockfile', `${fileName}:${index + 1}: wrong number of fields`);
    }
    if (!h1.startsWith('h1:')) continue;
    const isMod = version.endsWith(MOD_SUFFIX);
    const plain = isMod ? version.slice(0, -MOD_SUFFIX.length) : version;
    const hashes = isMod ? sums.mods : sums.zips;
    const key = moduleKey({ path, version: plain });
    // Of two lines for one file go believes the first.
    if (!hashes.has(key)) hashes.set(key, { path, version: plain, h1 });
  }
  return sums;
}

export function mergeGoSums(all: readonly GoSum[]): GoSum {
  return {
    zips: new Map(all.flatMap(({ zips }) => [...zips])),
    mods: new Map(all.flatMap(({ mods }) => [...mods])),
  };
}
