import { InvalidRequestData } from '../../../domain/errors.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { type Distribution, parseFileName, type SourceDistribution, type Wheel } from './file-name.ts';
import type { IndexFile } from './package-index.ts';
import type { WheelTargets } from './wheel-target.ts';

/** A file of the index that a requirement needs. */
export interface SelectedFile {
  file: IndexFile;
  distribution: Distribution;
}

export interface Selection {
  /** As the requirement writes them. */
  name: string;
  version: string;
  /** Null: sdists only. */
  wheels: WheelTargets | null;
  /** In the own interface a file that a requirement's hash names goes before others. */
  hashes: readonly ExpectedDigest[];
}

/** The files of one version, any kind. */
export function filesOfVersion(
  files: readonly IndexFile[],
  name: string,
  isWanted: (one: Distribution) => boolean,
) {
  return files.filter((file) => {
    const distribution = parseFileName(file.fileName, name);
    return distribution !== null && isWanted(distribution);
  });
}

/**
 * The best sdist, the wheels of the targets, or both (prefetch.md 5.1, 5.2). Throws InvalidRequestData
 * `No sdists found for package N==V` and the like.
 */
export function selectFiles(files: readonly IndexFile[], selection: Selection): SelectedFile[] {
  const { name, version, wheels: targets } = selection;
  const known = files.map((file) => ({ file, distribution: parseFileName(file.fileName, name)! }));
  const sdists = known.filter(isSdist);
  if (targets === null) {
    if (sdists.length === 0 && known.some(isWheel)) throw onlyWheels(selection);
    return [bestSdist(sdists, selection)];
  }
  const wanted = targets.wanted(name);
  if (!wanted.wheels) return [bestSdist(sdists, selection)];
  const wheels = bestWheels(known.filter(isWheel), targets, selection.hashes);
  if (!wanted.sdist) {
    if (wheels.length > 0) return wheels;
    throw rejected(`No wheels found for package ${name}==${version}`);
  }
  const usable = sdists.filter(({ file }) => !file.yanked);
  if (wheels.length === 0) return [bestSdist(sdists, selection)];
  const sdist = best(usable, selection.hashes);
  // With hashes that name only wheels, the sdist is not wanted.
  const isHashed =
    sdist && (selection.hashes.length === 0 || matchesAny(sdist.file, selection.hashes) !== false);
  return isHashed ? [sdist, ...wheels] : wheels;
}

type SdistFile = { file: IndexFile; distribution: SourceDistribution };
type WheelFile = { file: IndexFile; distribution: Wheel };

function isSdist(one: SelectedFile): one is SdistFile {
  return one.distribution.kind === 'sdist';
}

function isWheel(one: SelectedFile): one is WheelFile {
  return one.distribution.kind === 'wheel';
}

/** Not yanked, then .tar.gz, then .zip, then what the name says: the choice never depends on the index's order. */
function bestSdist(sdists: readonly SdistFile[], { name, version, hashes }: Selection): SdistFile {
  const usable = sdists.filter(({ file }) => !file.yanked);
  const chosen = best(usable, hashes);
  if (chosen) return chosen;
  throw rejected(
    sdists.length > 0
      ? `All sdists for package ${name}==${version} are yanked`
      : `No sdists found for package ${name}==${version}`,
  );
}

function best(sdists: readonly SdistFile[], hashes: readonly ExpectedDigest[]): SdistFile | undefined {
  const rank = ({ file, distribution }: SdistFile) => [
    hashes.length > 0 && matchesAny(file, hashes) === true ? 0 : 1,
    distribution.extension === '.tar.gz' ? 0 : distribution.extension === '.zip' ? 1 : 2,
  ];
  return sdists.toSorted((a, b) => {
    const [first, second] = [rank(a), rank(b)];
    return first[0]! - second[0]! || first[1]! - second[1]! || (a.file.fileName < b.file.fileName ? -1 : 1);
  })[0];
}

/** Those that a hash of the requirement names, when it names any. */
function bestWheels(
  wheels: readonly WheelFile[],
  targets: WheelTargets,
  hashes: readonly ExpectedDigest[],
): WheelFile[] {
  const accepted = wheels
    .filter(({ file, distribution }) => !file.yanked && targets.accepts(distribution))
    .sort((a, b) => (a.file.fileName < b.file.fileName ? -1 : 1));
  const hashed = hashes.length === 0 ? [] : accepted.filter(({ file }) => matchesAny(file, hashes) !== false);
  return hashed.length > 0 ? hashed : accepted;
}

/** Null when the index has no digest of the same kind. */
function matchesAny({ digests }: IndexFile, hashes: readonly ExpectedDigest[]): boolean | null {
  const comparable = hashes.filter(({ algorithm }) =>
    digests.some((digest) => digest.algorithm === algorithm),
  );
  if (comparable.length === 0) return null;
  return comparable.some(({ algorithm, hex }) =>
    digests.some((digest) => digest.algorithm === algorithm && digest.hex === hex),
  );
}

function onlyWheels({ name, version }: Selection): InvalidRequestData {
  return rejected(
    `No sdists found for package ${name}==${version}`,
    'There are only wheels of this version: ask for them with a wheel filter (`--wheels`, in the API `binary`).',
  );
}

function rejected(message: string, hint?: string): InvalidRequestData {
  return new InvalidRequestData('package-rejected', message, hint === undefined ? {} : { hint });
}
