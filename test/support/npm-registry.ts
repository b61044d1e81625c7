import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { gzipSync } from 'fflate';
import { listen } from './network.ts';

/** A package of the fixture registry. */
export interface RegistryPackage {
  name: string;
  version: string;
  /** More of its package.json: dependencies, bin, … */
  manifest?: Record<string, unknown>;
  /** More files, by path inside the package. */
  files?: Record<string, string>;
}

interface PublishedPackage extends RegistryPackage {
  tarball: Buffer;
  /** Hex. */
  sha1: string;
  sha256: string;
  sha512: string;
  /** `sha512-…`, as lock files have it. */
  integrity: string;
  /** Path of the tarball below the registry's URL. */
  path: string;
}

/** What goes wrong when a tarball is asked for. `times`: for so many requests, then it works. */
interface RegistryFault {
  times?: number;
  status?: number;
  headers?: Record<string, string>;
  /** Sends so many bytes of the body, then drops the connection. */
  cutAfter?: number;
  /** Sends these instead. */
  body?: Buffer;
}

export interface NpmRegistry {
  /** Ends in `/`. */
  url: string;
  packages: PublishedPackage[];
  /** Answers by path (without the leading slash), also the failed ones. */
  hits: Map<string, number>;
  /** The authorization header of each request, in order. */
  authorizations: (string | undefined)[];
  find(name: string, version?: string): PublishedPackage;
  publish(item: RegistryPackage): PublishedPackage;
  /** By `name@version`. */
  fail(spec: string, fault: RegistryFault): void;
  close(): Promise<void>;
}

export interface RegistryOptions {
  /** Milliseconds before each answer. */
  latency?: number;
  port?: number;
}

/** An npm registry on loopback: packuments and real tarballs, the same bytes on every run. */
export async function startNpmRegistry(
  packages: readonly RegistryPackage[],
  { latency = 0, port = 0 }: RegistryOptions = {},
): Promise<NpmRegistry> {
  const published = new Map<string, PublishedPackage>();
  const faults = new Map<string, RegistryFault>();
  const hits = new Map<string, number>();
  const authorizations: (string | undefined)[] = [];
  const list: PublishedPackage[] = [];
  const publish = (item: RegistryPackage) => {
    const made = makePackage(item);
    published.set(made.path, made);
    list.push(made);
    return made;
  };
  for (const item of packages) publish(item);

  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').replace(/\?.*/, '')).slice(1);
    hits.set(path, (hits.get(path) ?? 0) + 1);
    authorizations.push(request.headers.authorization);
    const answer = () => {
      const found = published.get(path);
      if (found) sendTarball(response, found, takeFault(faults, found), request.headers.range);
      else sendPackument(response, registry, path);
    };
    if (latency > 0) setTimeout(answer, latency);
    else answer();
  });
  await listen(server, port);
  const registry: NpmRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    packages: list,
    hits,
    authorizations,
    find(name, version) {
      const found = list.find(
        (item) => item.name === name && (version === undefined || item.version === version),
      );
      if (!found) throw new Error(`The fixture registry has no ${name}@${version}`);
      return found;
    },
    publish,
    fail: (spec, fault) => void faults.set(spec, { ...fault }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return registry;
}

/** Packages `fixture-0000` … with a few kilobytes each, some scoped: what a large application installs. */
export function manyPackages(count: number): RegistryPackage[] {
  return Array.from({ length: count }, (_, index) => {
    const number = String(index).padStart(4, '0');
    const name = index % 5 === 0 ? `@fixture/package-${number}` : `fixture-${number}`;
    const body = createHash('sha512').update(name).digest('hex');
    return {
      name,
      version: `${1 + (index % 3)}.${index % 10}.${index % 7}`,
      manifest: { main: 'index.js', license: 'MIT' },
      files: { 'index.js': `module.exports = '${body.repeat(8 + (index % 40))}';\n` },
    };
  });
}

/** A lock file of version 3 that asks for all packages of a registry. */
export function lockFileOf(registry: Pick<NpmRegistry, 'packages'>, resolvedBase: string | null): string {
  const packages: Record<string, unknown> = {
    '': {
      name: 'fixture-application',
      version: '1.0.0',
      dependencies: Object.fromEntries(registry.packages.map(({ name, version }) => [name, version])),
    },
  };
  for (const { name, version, path, integrity } of registry.packages) {
    packages[`node_modules/${name}`] = {
      version,
      ...(resolvedBase === null ? {} : { resolved: `${resolvedBase}${path}` }),
      integrity,
      license: 'MIT',
    };
  }
  return JSON.stringify(
    { name: 'fixture-application', version: '1.0.0', lockfileVersion: 3, requires: true, packages },
    null,
    2,
  );
}

/** A yarn.lock that asks for all packages of a registry, each at exactly its version. */
export function yarnLockOf(registry: Pick<NpmRegistry, 'packages'>, resolvedBase: string): string {
  const entries = registry.packages.map(({ name, version, path, sha1, integrity }) => {
    const key = name.startsWith('@') ? `"${name}@${version}"` : `${name}@${version}`;
    const resolved = `${resolvedBase}${path}#${sha1}`;
    return `${key}:\n  version "${version}"\n  resolved "${resolved}"\n  integrity ${integrity}\n`;
  });
  return `# yarn lockfile v1\n\n\n${entries.join('\n')}`;
}

/** A package tarball from literal texts; `prefix` is the folder that npm drops. */
export function makeTarball(files: Record<string, string>, prefix = 'package'): Buffer {
  const blocks: Buffer[] = [];
  for (const [path, text] of Object.entries(files)) {
    const content = Buffer.from(text);
    blocks.push(tarHeader(`${prefix}/${path}`, content.length), content);
    blocks.push(Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.from(gzipSync(Buffer.concat(blocks), { level: 6, mtime: 0 }));
}

function makePackage(item: RegistryPackage): PublishedPackage {
  const { name, version, manifest = {}, files = {} } = item;
  const tarball = makeTarball({
    'package.json': `${JSON.stringify({ name, version, ...manifest }, null, 2)}\n`,
    ...files,
  });
  const hash = (algorithm: string) => createHash(algorithm).update(tarball);
  const sha512 = hash('sha512').digest('hex');
  return {
    ...item,
    tarball,
    sha1: hash('sha1').digest('hex'),
    sha256: hash('sha256').digest('hex'),
    sha512,
    integrity: `sha512-${Buffer.from(sha512, 'hex').toString('base64')}`,
    path: `${name}/-/${name.slice(name.indexOf('/') + 1)}-${version}.tgz`,
  };
}

/** A ustar header; the fixtures need no more. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  const split = name.length > 100 ? name.lastIndexOf('/', 154) : -1;
  header.write(split < 0 ? name : name.slice(split + 1), 0, 100);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(499162500, 12), 100);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  if (split >= 0) header.write(name.slice(0, split), 345);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function takeFault(faults: Map<string, RegistryFault>, found: PublishedPackage): RegistryFault | null {
  const fault = faults.get(`${found.name}@${found.version}`);
  if (!fault || fault.times === 0) return null;
  if (fault.times !== undefined) fault.times--;
  return fault;
}

function sendTarball(
  response: ServerResponse,
  { tarball, sha512 }: PublishedPackage,
  fault: RegistryFault | null,
  range: string | undefined,
): void {
  if (fault?.status) {
    response.writeHead(fault.status, fault.headers).end();
    return;
  }
  const body = fault?.body ?? tarball;
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const headers = { 'content-type': 'application/octet-stream', etag: `"${sha512.slice(0, 32)}"` };
  if (start > 0 && start < body.length) {
    response.writeHead(206, {
      ...headers,
      'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
      'content-length': body.length - start,
    });
  } else {
    response.writeHead(200, { ...headers, 'content-length': body.length });
  }
  const part = body.subarray(start);
  if (fault?.cutAfter === undefined) response.end(part);
  else response.write(part.subarray(0, fault.cutAfter), () => response.destroy());
}

function sendPackument(response: ServerResponse, registry: NpmRegistry, name: string): void {
  const versions = registry.packages.filter((item) => item.name === name);
  if (versions.length === 0) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
    return;
  }
  const packument = {
    name,
    'dist-tags': { latest: versions.at(-1)!.version },
    versions: Object.fromEntries(
      versions.map(({ version, manifest, path, sha1, integrity }) => [
        version,
        { name, version, ...manifest, dist: { tarball: `${registry.url}${path}`, shasum: sha1, integrity } },
      ]),
    ),
  };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(packument));
}

/** `node test/support/npm-registry.ts --packages 1400 --latency 30` prints its URL and serves until it is ended. */
if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      packages: { type: 'string', default: '1400' },
      latency: { type: 'string', default: '0' },
      port: { type: 'string', default: '0' },
    },
  });
  const registry = await startNpmRegistry(manyPackages(Number(values.packages)), {
    latency: Number(values.latency),
    port: Number(values.port),
  });
  console.log(registry.url);
}
