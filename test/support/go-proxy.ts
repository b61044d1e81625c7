import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { zipSync } from 'fflate';
import { listen } from './network.ts';

/** A module of the fixture proxy. */
export interface ProxyModule {
  path: string;
  version: string;
  /** Of its go.mod, `path@version`. */
  require?: readonly string[];
  /** Lines after that. */
  goMod?: string;
  /** By path inside the module. Default: a package with one function. */
  files?: Record<string, string>;
}

interface PublishedModule extends ProxyModule {
  mod: Buffer;
  zip: Buffer;
  info: Buffer;
  /** Lines of a go.sum. */
  zipSum: string;
  modSum: string;
}

/** What goes wrong when a file is asked for. `times`: for so many requests, then it works. */
interface ProxyFault {
  times?: number;
  status?: number;
  /** Sends these bytes instead. */
  body?: Buffer;
}

export interface GoProxy {
  /** Without a final slash. */
  url: string;
  modules: PublishedModule[];
  /** Answers by path (without the leading slash), also the failed ones. */
  hits: Map<string, number>;
  /** The authorization header of each request, in order. */
  authorizations: (string | undefined)[];
  find(path: string, version?: string): PublishedModule;
  publish(module: ProxyModule): PublishedModule;
  /** go.sum for these modules (`path@version`; default: all), apart from those whose archive is not needed. */
  sums(names?: readonly string[]): string;
  /** By path below the URL. */
  fail(path: string, fault: ProxyFault): void;
  close(): Promise<void>;
}

/** A Go module proxy on loopback: real archives, the same bytes on every run. */
export async function startGoProxy(
  modules: readonly ProxyModule[],
  { latency = 0, port = 0 }: { latency?: number; port?: number } = {},
): Promise<GoProxy> {
  const files = new Map<string, Buffer>();
  const list: PublishedModule[] = [];
  const faults = new Map<string, ProxyFault>();
  const hits = new Map<string, number>();
  const authorizations: (string | undefined)[] = [];
  const publish = (module: ProxyModule): PublishedModule => {
    const made = makeModule(module);
    list.push(made);
    const base = `${escaped(made.path)}/@v`;
    const version = escaped(made.version);
    files.set(`${base}/${version}.mod`, made.mod);
    files.set(`${base}/${version}.zip`, made.zip);
    files.set(`${base}/${version}.info`, made.info);
    const versions = list.filter(({ path }) => path === made.path).map((one) => `${one.version}\n`);
    files.set(`${base}/list`, Buffer.from(versions.join('')));
    return made;
  };
  for (const module of modules) publish(module);

  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url ?? '/').slice(1);
    hits.set(path, (hits.get(path) ?? 0) + 1);
    authorizations.push(request.headers.authorization);
    if (latency > 0) await new Promise((resolve) => setTimeout(resolve, latency));
    const fault = faults.get(path);
    const isFaulty = fault !== undefined && (fault.times === undefined || fault.times-- > 0);
    if (isFaulty && fault.status !== undefined) return response.writeHead(fault.status).end();
    const body = isFaulty && fault.body ? fault.body : files.get(path);
    if (!body) return response.writeHead(404).end('not found');
    response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  await listen(server, port);
  const find = (path: string, version?: string): PublishedModule => {
    const found = list.find((one) => one.path === path && (version === undefined || one.version === version));
    if (!found) throw new Error(`no module ${path}`);
    return found;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    modules: list,
    hits,
    authorizations,
    find,
    publish,
    sums(names) {
      const wanted = names?.map((name) => find(...(name.split('@') as [string, string]))) ?? list;
      return wanted.flatMap(({ zipSum, modSum }) => [zipSum, modSum]).join('');
    },
    fail: (path, fault) => faults.set(path, fault),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Upper-case letters as the protocol wants them. */
export function escaped(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

/** Go's `h1:` hash, as documented for golang.org/x/mod/sumdb/dirhash. */
export function dirHash(files: Record<string, Uint8Array>): string {
  const lines = Object.keys(files)
    .sort()
    .map((name) => `${createHash('sha256').update(files[name]!).digest('hex')}  ${name}\n`);
  return `h1:${createHash('sha256').update(lines.join('')).digest('base64')}`;
}

const TIME = '2020-02-02T02:02:02Z';

function makeModule(module: ProxyModule): PublishedModule {
  const { path, version, require = [], goMod = '' } = module;
  const required = require.map((name) => `require ${name.replace('@', ' ')}\n`).join('');
  const mod = Buffer.from(`module ${path}\n\ngo 1.20\n\n${required}${goMod}`);
  const name = path
    .replace(/\/v\d+$/, '')
    .split('/')
    .at(-1)!
    .replace(/\W/g, '')
    .toLowerCase();
  const sources = module.files ?? { [`${name}.go`]: packageSource(name, require) };
  const contents: Record<string, Uint8Array> = {};
  for (const [file, text] of Object.entries({ 'go.mod': mod.toString(), ...sources })) {
    contents[`${path}@${version}/${file}`] = Buffer.from(text);
  }
  const zip = Buffer.from(zipSync(contents, { mtime: new Date('1980-01-02T00:00:00Z'), level: 6 }));
  return {
    ...module,
    mod,
    zip,
    info: Buffer.from(JSON.stringify({ Version: version, Time: TIME, Origin: { VCS: 'git' } })),
    zipSum: `${path} ${version} ${dirHash(contents)}\n`,
    modSum: `${path} ${version}/go.mod ${dirHash({ 'go.mod': mod })}\n`,
  };
}

/** A package whose function Name calls those of the modules that it requires. */
function packageSource(name: string, require: readonly string[]): string {
  const imports = require.map((one, index) => `import d${index} "${one.split('@')[0]}"\n`).join('');
  const calls = require.map((_, index) => ` + " " + d${index}.Name()`).join('');
  return `package ${name}\n\n${imports}\nfunc Name() string { return "${name}"${calls} }\n`;
}

/** A graph of modules of some size: each requires up to two later ones. */
export function manyModules(count: number): ProxyModule[] {
  const name = (index: number) => `example.test/m${index}`;
  return Array.from({ length: count }, (_, index) => {
    const next = [2 * index + 1, 2 * index + 2].filter((one) => one < count);
    const filler = (file: number) =>
      `package m${index}\n\nconst Filler${file} = "${createHash('sha512').update(`${index}/${file}`).digest('hex').repeat(20)}"\n`;
    return {
      path: name(index),
      version: 'v1.0.0',
      require: next.map((one) => `${name(one)}@v1.0.0`),
      files: {
        [`m${index}.go`]: packageSource(
          `m${index}`,
          next.map((one) => `${name(one)}@v1.0.0`),
        ),
        ...Object.fromEntries(
          Array.from({ length: 20 }, (_, file) => [`filler${file}.go`, filler(file)] as const),
        ),
      },
    };
  });
}

/** go.mod and go.sum of a project that needs all of them, and a program that uses the first. */
export function projectOf(modules: readonly PublishedModule[]): Record<string, string> {
  const requires = modules.map(
    ({ path, version }, index) => `\t${path} ${version}${index > 0 ? ' // indirect' : ''}\n`,
  );
  return {
    'go.mod': `module example.test/project\n\ngo 1.20\n\nrequire (\n${requires.join('')})\n`,
    'go.sum': modules.flatMap(({ zipSum, modSum }) => [zipSum, modSum]).join(''),
    'main.go': `package main\n\nimport first "${modules[0]!.path}"\n\nfunc main() { println(first.Name()) }\n`,
  };
}
