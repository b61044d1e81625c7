import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';

export interface FixtureImage {
  /** Directory with an OCI layout, whose tag is `multi`. */
  layout: string;
  /** Of the index. */
  digest: string;
  /** Digest of the image for each architecture. */
  platforms: Record<string, string>;
}

const ARCHITECTURES = ['amd64', 'arm64'];

/** An index of two images that share a layer; all content is new, so that nothing is there already. */
export async function writeFixtureImage(layout: string): Promise<FixtureImage> {
  await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
  const blob = async (content: Buffer | object, mediaType: string): Promise<Descriptor> => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(layout, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const shared = await archive('shared', 2_000_000);
  const platforms: Record<string, string> = {};
  const manifests: object[] = [];
  for (const architecture of ARCHITECTURES) {
    const own = await archive(architecture, 300_000);
    const layers = [shared, own];
    const config = await blob(
      {
        architecture,
        os: 'linux',
        config: { Labels: { 'org.example.of': 'stowage' } },
        rootfs: {
          type: 'layers',
          diff_ids: layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`),
        },
        history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'by hand' })),
      },
      'application/vnd.oci.image.config.v1+json',
    );
    const manifest = await blob(
      {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config,
        layers: await Promise.all(
          layers.map((layer) => blob(gzipSync(layer), 'application/vnd.oci.image.layer.v1.tar+gzip')),
        ),
      },
      'application/vnd.oci.image.manifest.v1+json',
    );
    platforms[architecture] = manifest.digest;
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } });
  }
  const index = await blob(
    { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests },
    'application/vnd.oci.image.index.v1+json',
  );
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = { 'org.opencontainers.image.ref.name': 'multi' };
  await writeFile(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] }),
  );
  return { layout, digest: index.digest, platforms };
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** A tar archive with one file. */
async function archive(name: string, bytes: number): Promise<Buffer> {
  const pack = tar.pack();
  pack.entry({ name: `${name}.bin`, mode: 0o644, mtime: new Date(0) }, randomBytes(bytes));
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
