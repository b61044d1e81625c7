import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { PassThrough, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Extract, extract } from 'tar-stream';
import type { FactsReader } from './file-facts.ts';

/** What the npm registry tells about a version, besides where it is. */
export interface NpmTarballFacts {
  /** package.json without its longest part, the readme; empty when there is none that can be read. */
  manifest: Record<string, unknown>;
  hasShrinkwrap: boolean;
  /** Hex. */
  sha1: string;
  /** Base64. */
  sha512: string;
}

const LARGEST_MANIFEST = 4 * 1024 * 1024;
/** A tarball that unpacks to more is looked through no further; its files were never unpacked to accept it either. */
const MOST_UNPACKED = 4 * 1024 ** 3;

export const npmTarball: FactsReader<NpmTarballFacts> = {
  name: 'npm-tarball-1',
  async read(file) {
    const sha1 = createHash('sha1');
    const sha512 = createHash('sha512');
    const packed = new PassThrough();
    const members = readMembers(packed);
    for await (const chunk of file as AsyncIterable<Buffer>) {
      sha1.update(chunk);
      sha512.update(chunk);
      if (!packed.destroyed && !packed.write(chunk)) await drained(packed);
    }
    packed.end();
    return { ...(await members), sha1: sha1.digest('hex'), sha512: sha512.digest('base64') };
  },
};

/** Also resolves when nobody reads any more. */
async function drained(stream: PassThrough): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
    if (stream.destroyed) done();
  });
}

type Members = Pick<NpmTarballFacts, 'manifest' | 'hasShrinkwrap'>;

/** What cannot be read is as good as not there: the bytes are served in any case, and npm will say what it dislikes. */
async function readMembers(packed: Readable): Promise<Members> {
  const found: Members = { manifest: {}, hasShrinkwrap: false };
  const tar = extract();
  const unpacking = pipeline(packed, createGunzip(), tar as unknown as Writable);
  try {
    await Promise.all([unpacking, lookThrough(tar, found)]);
  } catch {
    packed.destroy();
  }
  return found;
}

async function lookThrough(tar: Extract, found: Members): Promise<void> {
  let unpacked = 0;
  for await (const entry of tar) {
    const { name, type, size = 0 } = entry.header;
    const member = type === 'file' ? memberName(name) : null;
    if (member === 'npm-shrinkwrap.json') found.hasShrinkwrap = true;
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      unpacked += chunk.length;
      if (unpacked > MOST_UNPACKED) throw new Error('The tarball unpacks to too much');
      if (member === 'package.json' && size <= LARGEST_MANIFEST) chunks.push(chunk);
    }
    if (member === 'package.json') found.manifest = parseManifest(Buffer.concat(chunks).toString('utf8'));
  }
}

/** Inside of the one folder that everything lies in, whatever its name is. */
function memberName(path: string): string {
  return path.replace(/^(\.\/)?[^/]+\//, '');
}

function parseManifest(text: string): Record<string, unknown> {
  try {
    const manifest: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) return {};
    const { readme: _, ...rest } = manifest as Record<string, unknown>;
    return rest;
  } catch {
    return {};
  }
}
