import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'fflate';
import { tarEnd, tarHeader, tarPadding } from '../../src/domain/bundles/deterministic-tar.ts';
import { listen } from './network.ts';

/** A gem of the fixture registry. */
export interface OfferedGem {
  name: string;
  version: string;
  content: Buffer;
  dependencies: Record<string, string>;
  /** What the compact index says instead of the right sha256; null: it says nothing. */
  sha256?: string | null;
}

export interface GemServer {
  /** Ends in `/`. */
  url: string;
  gems: readonly OfferedGem[];
  /** Answers by path without the leading slash. */
  hits: Map<string, number>;
  /** The authorization header of each request, in order. */
  authorizations: (string | undefined)[];
  /** Hex sha256 of a gem's content. */
  digest(name: string): string;
  close(): Promise<void>;
}

export interface GemServerOptions {
  /** A registry without a compact index. */
  withoutIndex?: boolean;
}

/** A RubyGems registry on loopback: compact index and gems, the same bytes on every run. */
export async function startGemServer(
  gems: readonly OfferedGem[],
  { withoutIndex = false }: GemServerOptions = {},
): Promise<GemServer> {
  const hits = new Map<string, number>();
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/').slice(1);
    hits.set(path, (hits.get(path) ?? 0) + 1);
    authorizations.push(request.headers.authorization);
    const gem = gems.find((one) => path === `gems/${one.name}-${one.version}.gem`);
    if (gem) return send(response, 'application/octet-stream', gem.content);
    const page = withoutIndex ? null : indexPage(gems, path);
    if (page === null) response.writeHead(404).end('no such page');
    else send(response, 'text/plain', Buffer.from(page));
  });
  await listen(server);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    gems,
    hits,
    authorizations,
    digest(name) {
      const found = gems.find((one) => one.name === name);
      if (!found) throw new Error(`The fixture registry has no ${name}`);
      return sha256(found.content);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface GemOptions {
  dependencies?: Record<string, string>;
  /** More files, by path inside the gem. */
  files?: Record<string, string>;
  licenses?: string[];
  platform?: string;
  sha256?: string | null;
}

/** A real gem: `require '<name>'` defines a constant with its version. */
export function makeGem(name: string, version: string, options: GemOptions = {}): OfferedGem {
  const files = { [`lib/${name}.rb`]: gemCode(name, version), ...options.files };
  const specification = gemMetadata(name, version, { ...options, files });
  const metadata = gzip(Buffer.from(specification));
  const data = gzip(makeTar(files));
  const checksums = gzip(
    Buffer.from(`---\nSHA256:\n  metadata.gz: ${sha256(metadata)}\n  data.tar.gz: ${sha256(data)}\n`),
  );
  return {
    name,
    version,
    content: makeTar({ 'metadata.gz': metadata, 'data.tar.gz': data, 'checksums.yaml.gz': checksums }),
    dependencies: options.dependencies ?? {},
    ...(options.sha256 === undefined ? {} : { sha256: options.sha256 }),
  };
}

/** The files of a gem in a git repository or in a directory of the source; the gemspec asks git for its files. */
export function gemSource(name: string, version: string): Record<string, string> {
  return {
    [`${name}.gemspec`]: [
      'Gem::Specification.new do |spec|',
      `  spec.name = ${JSON.stringify(name)}`,
      `  spec.version = ${JSON.stringify(version)}`,
      '  spec.summary = "a fixture"',
      '  spec.authors = ["Ada"]',
      '  spec.files = Dir.chdir(__dir__) { `git ls-files -z`.split("\\x0") }',
      'end',
      '',
    ].join('\n'),
    [`lib/${name}.rb`]: gemCode(name, version),
  };
}

/** Names of constants come from names of gems. */
export function gemConstant(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

export interface TarFiles {
  [path: string]: string | Uint8Array;
}

export function makeTar(files: TarFiles): Buffer {
  const blocks: Buffer[] = [];
  let size = 0;
  for (const [path, value] of Object.entries(files)) {
    const content = Buffer.from(value as string);
    const header = tarHeader({ path, kind: 'file', mode: 0o644, size: content.length }, 1_700_000_000);
    const padding = Buffer.alloc(tarPadding(content.length));
    blocks.push(header, content, padding);
    size += header.length + content.length + padding.length;
  }
  return Buffer.concat([...blocks, Buffer.alloc(tarEnd(size))]);
}

export function gzip(content: Uint8Array): Buffer {
  return Buffer.from(gzipSync(content, { level: 6, mtime: 0 }));
}

function gemCode(name: string, version: string): string {
  return `${gemConstant(name)} = "${version}"\n`;
}

/** As RubyGems itself writes them. */
export function gemMetadata(
  name: string,
  version: string,
  { dependencies = {}, files = {}, licenses = ['MIT'], platform = 'ruby' }: GemOptions = {},
): string {
  const requirement = (value: string, indent: string): string[] => {
    const [operator = '>=', number = '0'] = value.split(' ');
    return [
      '!ruby/object:Gem::Requirement',
      `${indent}requirements:`,
      `${indent}- - "${operator}"`,
      `${indent}  - !ruby/object:Gem::Version`,
      `${indent}    version: '${number}'`,
    ];
  };
  const list = (key: string, items: readonly string[]): string[] =>
    items.length === 0 ? [`${key}: []`] : [`${key}:`, ...items.map((item) => `- ${item}`)];
  return [
    '--- !ruby/object:Gem::Specification',
    `name: ${name}`,
    'version: !ruby/object:Gem::Version',
    // What looks like a number is quoted.
    `  version: ${/^[\d.]+$/.test(version) && version.split('.').length < 3 ? `'${version}'` : version}`,
    `platform: ${platform}`,
    ...list('authors', ['Ada']),
    'autorequire: ',
    'bindir: bin',
    'cert_chain: []',
    'date: 2024-05-06 00:00:00.000000000 Z',
    ...(Object.keys(dependencies).length === 0 ? ['dependencies: []'] : ['dependencies:']),
    ...Object.entries(dependencies).flatMap(([gem, value]) => [
      '- !ruby/object:Gem::Dependency',
      `  name: ${gem}`,
      `  requirement: ${requirement(value, '    ').join('\n')}`,
      '  type: :runtime',
      '  prerelease: false',
      `  version_requirements: ${requirement(value, '    ').join('\n')}`,
    ]),
    'description: ',
    'email: ',
    'executables: []',
    'extensions: []',
    'extra_rdoc_files: []',
    ...list('files', Object.keys(files)),
    'homepage: ',
    ...list('licenses', licenses),
    'metadata: {}',
    'post_install_message: ',
    'rdoc_options: []',
    ...list('require_paths', ['lib']),
    `required_ruby_version: ${requirement('>= 0', '  ').join('\n')}`,
    `required_rubygems_version: ${requirement('>= 0', '  ').join('\n')}`,
    'requirements: []',
    'rubygems_version: 3.3.5',
    'signing_key: ',
    'specification_version: 4',
    'summary: a fixture',
    'test_files: []',
    '',
  ].join('\n');
}

function indexPage(gems: readonly OfferedGem[], path: string): string | null {
  if (path === 'versions') {
    const names = [...new Set(gems.map(({ name }) => name))];
    const lines = names.map((name) => {
      const versions = gems.filter((gem) => gem.name === name).map(({ version }) => version);
      const page = infoPage(gems, name)!;
      return `${name} ${versions.join(',')} ${createHash('md5').update(page).digest('hex')}\n`;
    });
    return `created_at: 2024-05-06T07:08:09Z\n---\n${lines.join('')}`;
  }
  const name = /^info\/(.+)$/.exec(path)?.[1];
  return name === undefined ? null : infoPage(gems, name);
}

function infoPage(gems: readonly OfferedGem[], name: string): string | null {
  const found = gems.filter((gem) => gem.name === name);
  if (found.length === 0) return null;
  const lines = found.map(({ version, dependencies, content, sha256: stated }) => {
    const needs = Object.entries(dependencies).map(([gem, requirement]) => `${gem}:${requirement}`);
    const checksum = stated === null ? [] : [`checksum:${stated ?? sha256(content)}`];
    return `${version} ${needs.join(',')}|${[...checksum, 'ruby:>= 0'].join(',')}\n`;
  });
  return `---\n${lines.join('')}`;
}

function send(response: ServerResponse, type: string, content: Buffer): void {
  response.writeHead(200, { 'content-type': type, 'content-length': content.length }).end(content);
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
