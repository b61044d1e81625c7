import type { Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import { TarReader } from '../../../domain/bundles/tar-reader.ts';
import { ValidationError } from '../../../domain/errors.ts';
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

const METADATA = 'metadata.gz';
const MAX_PACKED = 2 * 1024 * 1024;
const MAX_UNPACKED = 16 * 1024 * 1024;
const MAX_MEMBERS = 100;

/** A file that a registry serves for a gem must be that gem. */
export function inspectGem(name: string, version: string): NonNullable<ArtifactRequest['inspect']> {
  const fileName = `${name}-${version}.gem`;
  return {
    name: 'rubygem-1',
    run: async (open): Promise<GemMetadata> => {
      const text = await readMetadata(open()).catch((cause: Error) => {
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
    {
      cause,
    },
  );
}

/** The gzipped YAML in the tar that a `.gem` is. Reads no further than it must. */
async function readMetadata(file: Readable): Promise<string> {
  try {
    const tar = new TarReader(file as AsyncIterable<Uint8Array>);
    for (let members = 0; members < MAX_MEMBERS; members++) {
      const member = await tar.next();
      if (member === null) break;
      const isWanted = member.kind === 'file' && member.path === METADATA;
      if (isWanted && member.size > MAX_PACKED) throw new Error(`its ${METADATA} is too large`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of tar.content(member)) if (isWanted) chunks.push(Uint8Array.from(chunk));
      if (isWanted) return await gunzipCapped(Buffer.concat(chunks));
    }
    throw new Error(`it has no ${METADATA}`);
  } finally {
    file.destroy();
  }
}

async function gunzipCapped(packed: Buffer): Promise<string> {
  const gunzip: Gunzip = createGunzip();
  gunzip.end(packed);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of gunzip as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_UNPACKED) throw new Error(`its ${METADATA} unpacks to too much`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
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
