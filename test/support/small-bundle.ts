import { crc32 } from 'node:zlib';
import { archiveLayout } from '../../src/domain/bundles/archive-layout.ts';
import { readArchive } from '../../src/domain/bundles/archive-reader.ts';
import { type AssembledArchive, assembleBundle } from '../../src/domain/bundles/assemble-bundle.ts';
import { type BundleManifest, manifestText } from '../../src/domain/bundles/bundle-manifest.ts';
import { MemoryBlobStore } from './memory-blob-store.ts';
import { memorySourceTree } from './memory-source-tree.ts';

export interface SmallBundle {
  manifest: BundleManifest;
  manifestText: string;
  archive: Buffer;
  assembled: AssembledArchive;
}

/** A bundle as the product assembles it, with an entry of every kind; its blobs are left in the store. */
export async function smallBundle(blobs = new MemoryBlobStore()): Promise<SmallBundle> {
  const file = (path: string, text: string) => ({
    path,
    mode: 0o644 as const,
    ...blobs.put(Buffer.from(text)),
  });
  const assembled = await assembleBundle({
    blobs,
    source: memorySourceTree({
      'README.md': 'hello',
      'link.md': { link: 'README.md' },
      [`src/${'n'.repeat(120)}.txt`]: 'a long name',
      'src/naïve.txt': 'é',
    }),
    sourceChanges: [],
    files: [
      file('deps/npm/a/a-1.0.0.tgz', 'first'),
      file('deps/npm/b/b-1.0.0.tgz', 'second'),
      file('stowage.env', 'export A=1\n'),
    ],
    directories: ['deps/gomod'],
    known: async () => null,
    sourceMembers: { find: async () => null, insert: async () => undefined },
    signal: new AbortController().signal,
  });
  const layout = archiveLayout(
    assembled.manifest,
    {
      digest: assembled.sourceMemberDigest,
      size: blobs.blobs.get(assembled.sourceMemberDigest)!.length,
    },
    (digest) => crc32(blobs.blobs.get(digest)!),
  );
  const chunks: Buffer[] = [];
  for await (const chunk of readArchive(blobs, layout)) chunks.push(chunk as Buffer);
  return {
    manifest: assembled.manifest,
    manifestText: manifestText(assembled.manifest),
    archive: Buffer.concat(chunks),
    assembled,
  };
}
