import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const SUITE = 'bookworm';
/** What the applications of the tests are built with. */
const PACKAGES = ['ca-certificates', 'golang-go', 'nodejs', 'npm', 'python3-pip', 'python3-venv'];
const LEFT_OUT = ['doc', 'man', 'locale', 'info'];
/** 2026-01-01: the same packages give the same image. */
const TIME = 1_767_225_600;
const VERSION = 1;

/**
 * A base image made of Debian packages alone, as an OCI layout that is kept outside of the repository: made once, in two or
 * three minutes, of what the machine's own apt gives. Needs root and mmdebstrap. Returns its directory; its one
 * image has the tag `base`.
 */
export function debianImage(): string {
  const cache = process.env.STOWAGE_TEST_CACHE ?? join(homedir(), '.cache', 'stowage-test');
  const recipe = JSON.stringify([SUITE, PACKAGES, LEFT_OUT, TIME, VERSION, process.arch]);
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const directory = join(cache, `debian-${key}`);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'making-'));
  try {
    makeImage(aside);
    renameSync(join(aside, 'image'), directory);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return directory;
}

function makeImage(directory: string): void {
  console.log(`making the base image of ${PACKAGES.join(', ')} (once)`);
  const tar = join(directory, 'root.tar');
  const options = [
    ...['--quiet', '--variant=minbase', `--include=${PACKAGES.join(',')}`],
    '--aptopt=APT::Install-Recommends "false"',
    ...LEFT_OUT.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  ];
  execFileSync('mmdebstrap', [...options, SUITE, tar], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(TIME) },
  });
  const diffId = digestOfFile(tar);
  execFileSync('gzip', ['-n', '-1', tar]);
  const layout = new Layout(join(directory, 'image'));
  const layer = layout.addFile(`${tar}.gz`, 'application/vnd.oci.image.layer.v1.tar+gzip');
  const config = layout.add('application/vnd.oci.image.config.v1+json', {
    created: new Date(TIME * 1000).toISOString(),
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['bash'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
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
