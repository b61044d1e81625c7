import { ValidationError } from '../../../domain/errors.ts';
import { readGemMetadata } from '../../../domain/packages/gem-metadata.ts';
import type { ArtifactRequest } from '../../downloads/artifact-store.ts';

/** What the metadata of a `.gem` tells. */
export interface GemMetadata {
  license: string | null;
}

interface Specification {
  name: string | null;
  version: string | null;
  platform: string | null;
  licenses: string[];
}

/** A file that a registry serves for a gem must be that gem. */
export function inspectGem(name: string, version: string): NonNullable<ArtifactRequest['inspect']> {
  const fileName = `${name}-${version}.gem`;
  return {
    name: 'rubygem-1',
    run: async (open): Promise<GemMetadata> => {
      const text = await readGemMetadata(open()).catch((cause: Error) => {
        throw rejected(fileName, cause.message, cause);
      });
      const found = readSpecification(text);
      if (found.name !== name || found.version !== version || (found.platform ?? 'ruby') !== 'ruby') {
        const platform = found.platform === null || found.platform === 'ruby' ? '' : `-${found.platform}`;
        throw rejected(fileName, `it holds ${found.name ?? '?'} (${found.version ?? '?'}${platform})`);
      }
      return { license: found.licenses.length === 0 ? null : found.licenses.join(' OR ') };
    },
  };
}

function rejected(fileName: string, problem: string, cause?: unknown): ValidationError {
  return new ValidationError(
    'package-rejected',
    `The file ${fileName} is not that gem: ${problem.slice(0, 300)}`,
    { cause },
  );
}

/**
 * The few fields that matter of the YAML that RubyGems has written since 2006. Not a YAML reader: values are plain or
 * quoted on one line there, lists have an item a line.
 */
function readSpecification(yaml: string): Specification {
  const found: Specification = { name: null, version: null, platform: null, licenses: [] };
  let section = '';
  for (const line of yaml.split(/\r?\n/)) {
    const [, key = '', value = ''] = /^([a-z_]+):(?: (.*))?$/.exec(line) ?? [];
    if (key !== '') {
      section = key;
      if (key === 'name' || key === 'platform') found[key] ??= scalar(value);
      continue;
    }
    if (section === 'version') {
      const [, version] = /^ +version: (.*)$/.exec(line) ?? [];
      if (version !== undefined) found.version ??= scalar(version);
    } else if (section === 'licenses') {
      const [, license] = /^ *- (.*)$/.exec(line) ?? [];
      const text = license === undefined ? null : scalar(license);
      if (text !== null) found.licenses.push(text);
    }
  }
  return found;
}

/** Null for what is no printable text of one line. */
function scalar(text: string): string | null {
  const trimmed = text.trim();
  const [, quoted] = /^(?:"([^"\\]*)"|'([^']*)')$/.exec(trimmed)?.filter((part) => part !== undefined) ?? [];
  const value = quoted ?? trimmed;
  return /^[\x20-\x7e]{1,200}$/.test(value) && !/^[!&*|>]/.test(value) ? value : null;
}
