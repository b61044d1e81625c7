import { canonicalName } from '../../../domain/packages/python-project-name.ts';
import { isSameVersion, normalVersion } from './project-version.ts';

/** A distribution file of one project, by its name. */
export type Distribution = SourceDistribution | Wheel;

export interface SourceDistribution {
  kind: 'sdist';
  /** As in the file name. */
  name: string;
  version: string;
  extension: string;
}

export interface Wheel {
  kind: 'wheel';
  name: string;
  version: string;
  /** Expanded tags. */
  python: string[];
  abi: string[];
  platform: string[];
}

const SDIST_EXTENSIONS = ['.tar.gz', '.tgz', '.zip', '.tar.bz2', '.tbz', '.tar.xz', '.txz', '.tar.Z', '.tar'];

/** Null when the file is neither, or of another project. */
export function parseFileName(fileName: string, project: string): Distribution | null {
  return fileName.endsWith('.whl') ? parseWheelName(fileName, project) : parseSdistName(fileName, project);
}

export function isVersionOf({ version }: Distribution, wanted: string): boolean {
  return isSameVersion(version, wanted);
}

/** `<name>-<version><extension>`, where both parts may have dashes. */
function parseSdistName(fileName: string, project: string): SourceDistribution | null {
  const extension = SDIST_EXTENSIONS.find((one) => fileName.endsWith(one));
  if (!extension) return null;
  const stem = fileName.slice(0, -extension.length);
  const wanted = canonicalName(project);
  for (let dash = stem.indexOf('-'); dash > 0; dash = stem.indexOf('-', dash + 1)) {
    const version = stem.slice(dash + 1);
    if (canonicalName(stem.slice(0, dash)) !== wanted || version === '') continue;
    // `foo-bar-1.0` may be read as version `bar-1.0` of `foo`, but that is no version.
    if (normalVersion(version) === null && /^[A-Za-z]/.test(version)) continue;
    return { kind: 'sdist', name: stem.slice(0, dash), version, extension };
  }
  return null;
}

function parseWheelName(fileName: string, project: string): Wheel | null {
  const parts = fileName.slice(0, -'.whl'.length).split('-');
  if (parts.length !== 5 && parts.length !== 6) return null;
  const [name, version] = parts;
  const [python, abi, platform] = parts.slice(-3);
  if (canonicalName(name!) !== canonicalName(project)) return null;
  return {
    kind: 'wheel',
    name: name!,
    version: version!,
    python: python!.split('.'),
    abi: abi!.split('.'),
    platform: platform!.split('.'),
  };
}
