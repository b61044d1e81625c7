import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keptOfPackages, PACKAGES_TIME } from './debian-packages.ts';

/** What the applications of the tests are built with. */
const PACKAGES = ['ca-certificates', 'git', 'golang-go', 'nodejs', 'npm', 'python3-pip', 'python3-venv'];

/** A base image made of Debian packages alone. Returns the directory of an OCI layout; its one image has the tag `base`. */
export function debianImage(): string {
  return keptOfPackages('debian', PACKAGES, writeImage);
}

function writeImage(tar: string, directory: string): void {
  const diffId = digestOfFile(tar);
  execFileSync('gzip', ['-n', '-1', tar]);
  const layout = new Layout(directory);
  const layer = layout.addFile(`${tar}.gz`, 'application/vnd.oci.image.layer.v1.tar+gzip');
  const config = layout.add('application/vnd.oci.image.config.v1+json', {
    created: new Date(PACKAGES_TIME * 1000).toISOString(),
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['bash'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created: new Date(PACKAGES_TIME * 1000).toISOString(), created_by: 'mmdebstrap' }],
  });
  const manifest = layout.add(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] });
  layout.finish({ ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'base' } });
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** A directory as the OCI image layout specification has it. */
class Layout {
  readonly #directory: string;
  readonly #blobs: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#blobs = join(directory, 'blobs/sha256');
    mkdirSync(this.#blobs, { recursive: true });
  }

  addFile(path: string, mediaType: string): Descriptor {
    const digest = digestOfFile(path);
    const { size } = statSync(path);
    renameSync(path, join(this.#blobs, digest.slice('sha256:'.length)));
    return { mediaType, digest, size };
  }

  add(mediaType: string, content: object): Descriptor {
    const text = JSON.stringify(content);
    const hex = createHash('sha256').update(text).digest('hex');
    writeFileSync(join(this.#blobs, hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  }

  finish(manifest: object): void {
    const index = { schemaVersion: 2, manifests: [manifest] };
    writeFileSync(join(this.#directory, 'index.json'), JSON.stringify(index));
    writeFileSync(join(this.#directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }
}

function digestOfFile(path: string): string {
  return `sha256:${execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64)}`;
}
