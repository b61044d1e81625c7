import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { gzipSync, zipSync } from 'fflate';
import { listen } from './network.ts';

/** A file of the fixture index. */
export interface IndexedFile {
  project: string;
  fileName: string;
  content: Buffer;
  /** A reason, or true. */
  yanked?: string | boolean;
  /** What the index says instead of the right sha256; null: it says nothing. */
  sha256?: string | null;
}

export interface PublishedFile extends IndexedFile {
  /** Hex, of the content. */
  digest: string;
  /** Path below the server's URL. */
  path: string;
}

export interface PythonIndex {
  /** Ends in `/simple`. */
  url: string;
  files: PublishedFile[];
  /** Answers by path without the leading slash. */
  hits: Map<string, number>;
  /** The authorization header of each request, in order. */
  authorizations: (string | undefined)[];
  find(fileName: string): PublishedFile;
  publish(file: IndexedFile): PublishedFile;
  close(): Promise<void>;
}

export interface IndexOptions {
  /** `html`: the server knows no JSON (PEP 503 only). */
  form?: 'json' | 'html';
  /** Milliseconds before each answer. */
  latency?: number;
  port?: number;
  /** Links relative to the page instead of absolute ones. */
  relativeLinks?: boolean;
}

/** A Python package index on loopback: PEP 691 and PEP 503 pages, real files, the same bytes on every run. */
export async function startPythonIndex(
  files: readonly IndexedFile[],
  { form = 'json', latency = 0, port = 0, relativeLinks = false }: IndexOptions = {},
): Promise<PythonIndex> {
  const published: PublishedFile[] = [];
  const hits = new Map<string, number>();
  const authorizations: (string | undefined)[] = [];
  const publish = (file: IndexedFile) => {
    const digest = createHash('sha256').update(file.content).digest('hex');
    const made = { ...file, digest, path: `files/${digest.slice(0, 8)}/${file.fileName}` };
    published.push(made);
    return made;
  };
  for (const file of files) publish(file);

  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/').slice(1);
    hits.set(path, (hits.get(path) ?? 0) + 1);
    authorizations.push(request.headers.authorization);
    const answer = () => {
      const file = published.find((one) => one.path === path);
      if (file) return sendFile(response, file);
      const project = /^simple\/([^/]+)\/$/.exec(path)?.[1];
      const offered = published.filter((one) => canonical(one.project) === project);
      if (offered.length === 0) return void response.writeHead(404).end('no such page');
      const base = relativeLinks ? '../../' : `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const takesJson = request.headers.accept?.includes('application/vnd.pypi.simple.v1+json');
      if (form === 'json' && takesJson) sendJson(response, project!, offered, base);
      else sendHtml(response, offered, base);
    };
    if (latency > 0) setTimeout(answer, latency);
    else answer();
  });
  await listen(server, port);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`,
    files: published,
    hits,
    authorizations,
    find(fileName) {
      const found = published.find((one) => one.fileName === fileName);
      if (!found) throw new Error(`The fixture index has no ${fileName}`);
      return found;
    },
    publish,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface SdistOptions {
  /** More files, by path inside the sdist. */
  files?: Record<string, string>;
  license?: string;
  /** Default: `.tar.gz`. */
  extension?: '.tar.gz' | '.zip' | '.tar';
  /** Default: the project's name. */
  fileNameBase?: string;
  withoutPkgInfo?: boolean;
  yanked?: string | boolean;
  sha256?: string | null;
}

/** A real sdist that pip builds without any build dependency: its build backend is in its own tree. */
export function makeSdist(project: string, version: string, options: SdistOptions = {}): IndexedFile {
  const base = options.fileNameBase ?? project;
  const extension = options.extension ?? '.tar.gz';
  const root = `${base}-${version}`;
  const members = Object.fromEntries(
    Object.entries(sdistFiles(project, version, options)).map(([path, text]) => [`${root}/${path}`, text]),
  );
  return indexed(project, `${root}${extension}`, pack(members, extension), options);
}

/** The files of a project with an in-tree build backend, for sdists and for git repositories. */
export function sdistFiles(
  project: string,
  version: string,
  options: SdistOptions = {},
): Record<string, string> {
  const module = moduleName(project);
  return {
    ...(options.withoutPkgInfo ? {} : { 'PKG-INFO': metadata(project, version, options.license) }),
    'pyproject.toml':
      '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["_build"]\n\n' +
      `[project]\nname = "${project}"\nversion = "${version}"\n`,
    '_build/backend.py': buildBackend(project, version),
    [`${module}.py`]: `VERSION = "${version}"\n`,
    ...options.files,
  };
}

export interface WheelOptions extends Pick<SdistOptions, 'license' | 'yanked' | 'sha256'> {
  /** Default: `py3-none-any`. */
  tag?: string;
}

export function makeWheel(project: string, version: string, options: WheelOptions = {}): IndexedFile {
  const distribution = moduleName(project);
  const tag = options.tag ?? 'py3-none-any';
  const info = `${distribution}-${version}.dist-info`;
  const content = zip({
    [`${distribution}.py`]: `VERSION = "${version}"\n`,
    [`${info}/METADATA`]: metadata(project, version, options.license),
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: fixture\nRoot-Is-Purelib: true\nTag: ${tag}\n`,
    [`${info}/RECORD`]: `${distribution}.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
  });
  return indexed(project, `${distribution}-${version}-${tag}.whl`, content, options);
}

/** Projects `fixture-00` … of some size each: what a larger application requires. */
export function manySdists(count: number, bytes = 100_000): IndexedFile[] {
  return Array.from({ length: count }, (_, index) => {
    const project = `fixture-${String(index).padStart(2, '0')}`;
    return makeSdist(project, `${1 + (index % 3)}.${index % 10}`, {
      files: { 'data.txt': noise(project, bytes) },
    });
  });
}

/** Pinned lines with hashes for all files of an index. */
export function requirementsOf(files: readonly PublishedFile[]): string {
  return files
    .map(({ project, fileName, digest }) => {
      const version = /-([0-9][^-]*?)(\.tar\.gz|\.zip|-py3-none-any\.whl)$/.exec(fileName)?.[1];
      return `${project}==${version} \\\n    --hash=sha256:${digest}\n`;
    })
    .join('');
}

/** A tar archive from literal texts. */
function makeTar(files: Record<string, string>): Buffer {
  const blocks: Buffer[] = [];
  for (const [path, text] of Object.entries(files)) {
    const content = Buffer.from(text);
    blocks.push(tarHeader(path, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}

function gzip(content: Uint8Array): Buffer {
  return Buffer.from(gzipSync(content, { level: 6, mtime: 0 }));
}

function pack(files: Record<string, string>, extension: string): Buffer {
  if (extension === '.zip') return zip(files);
  return extension === '.tar' ? makeTar(files) : gzip(makeTar(files));
}

function zip(files: Record<string, string>): Buffer {
  const members = Object.entries(files).map(([path, text]) => [path, Buffer.from(text)] as const);
  return Buffer.from(zipSync(Object.fromEntries(members), { mtime: '1985-10-26T08:15:00', level: 6 }));
}

function indexed(
  project: string,
  fileName: string,
  content: Buffer,
  { yanked, sha256 }: Pick<SdistOptions, 'yanked' | 'sha256'>,
): IndexedFile {
  return {
    project,
    fileName,
    content,
    ...(yanked === undefined ? {} : { yanked }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

function metadata(project: string, version: string, license?: string): string {
  const stated = license === undefined ? '' : `License: ${license}\n`;
  return `Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\n${stated}\nA fixture.\n`;
}

/** PEP 517 in a few lines of Python: copies the module into a wheel. */
function buildBackend(project: string, version: string): string {
  const module = moduleName(project);
  return `import os, zipfile

INFO = "${module}-${version}.dist-info"
NAME = "${module}-${version}-py3-none-any.whl"

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(wheel_directory, NAME), "w") as wheel:
        wheel.write("${module}.py")
        wheel.writestr(INFO + "/METADATA", "Metadata-Version: 2.1\\nName: ${project}\\nVersion: ${version}\\n")
        wheel.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: fixture\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(INFO + "/RECORD", "${module}.py,,\\n" + INFO + "/METADATA,,\\n" + INFO + "/WHEEL,,\\n" + INFO + "/RECORD,,\\n")
    return NAME
`;
}

function moduleName(project: string): string {
  return project.replace(/[-_.]+/g, '_').toLowerCase();
}

function canonical(project: string): string {
  return project.replace(/[-_.]+/g, '-').toLowerCase();
}

/** Text that does not compress to nothing. */
function noise(seed: string, bytes: number): string {
  let text = '';
  for (let round = 0; text.length < bytes; round++) {
    text += createHash('sha512').update(`${seed}:${round}`).digest('base64');
  }
  return text.slice(0, bytes);
}

function sendFile(response: ServerResponse, { content, digest }: PublishedFile): void {
  response
    .writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': content.length,
      etag: `"${digest.slice(0, 32)}"`,
    })
    .end(content);
}

function sendJson(
  response: ServerResponse,
  name: string,
  files: readonly PublishedFile[],
  base: string,
): void {
  const body = {
    meta: { 'api-version': '1.1' },
    name,
    files: files.map(({ fileName, path, digest, sha256 = digest, yanked = false, content }) => ({
      filename: fileName,
      url: `${base}${path}`,
      hashes: sha256 === null ? {} : { sha256 },
      yanked,
      size: content.length,
    })),
  };
  response
    .writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' })
    .end(JSON.stringify(body));
}

function sendHtml(response: ServerResponse, files: readonly PublishedFile[], base: string): void {
  const links = files.map(({ fileName, path, digest, sha256 = digest, yanked = false }) => {
    const reason = yanked === true ? '' : yanked;
    const attribute = reason === false ? '' : ` data-yanked="${reason}"`;
    return `<a href="${base}${path}${sha256 === null ? '' : `#sha256=${sha256}`}"${attribute}>${fileName}</a><br/>\n`;
  });
  const head = '<meta name="pypi:repository-version" content="1.0">';
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end(`<!DOCTYPE html><html><head>${head}</head><body>\n${links.join('')}</body></html>`);
}

/** A ustar header; the fixtures need no more. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0, 100);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(499162500, 12), 100);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** `node test/support/python-index.ts --projects 70 --latency 30` prints its URL and serves until it is ended. */
if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      projects: { type: 'string', default: '70' },
      bytes: { type: 'string', default: '100000' },
      latency: { type: 'string', default: '0' },
      port: { type: 'string', default: '0' },
    },
  });
  const index = await startPythonIndex(manySdists(Number(values.projects), Number(values.bytes)), {
    latency: Number(values.latency),
    port: Number(values.port),
  });
  console.log(index.url);
}
