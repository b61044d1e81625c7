import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fillInRegistries } from '../../src/domain/package-registries/registry-address.ts';
import type { Resolution } from '../../src/workers/ecosystems/ecosystem.ts';
import type { RegistryServer } from './registry-server.ts';
import { type TestResolveContext, temporaryDirectory } from './resolve-context.ts';

/** In which of its two forms a consumer takes a bundle. */
export interface ConsumedForm {
  form: 'offline' | 'registry';
  /** Of the registry form: fills addresses and the password in, see {@link serveResolution}. */
  fill?: (text: string) => string;
}

const OFFLINE: ConsumedForm = { form: 'offline' };

/**
 * Lays a bundle out as a consumer does: source, dependencies, changes of the source, configuration over it. Of the registry
 * form nothing lies there but the source and its configuration. Gives the root of it, which is removed after the test.
 */
export async function layOutBundle(
  { context, blobs }: TestResolveContext,
  resolution: Resolution,
  { form, fill }: ConsumedForm = OFFLINE,
): Promise<string> {
  const root = temporaryDirectory();
  mkdirSync(join(root, 'app'));
  await context.source.exportTo(join(root, 'app'));
  if (form === 'offline') {
    for (const { path, digest, mode } of resolution.files) {
      writeBelow(root, path, blobs.blobs.get(digest)!, mode);
    }
    for (const { path, target } of resolution.links ?? []) symlinkSync(target, join(root, path));
  }
  for (const change of resolution.sourceChanges) {
    if (change.kind === 'remove') rmSync(join(root, 'app', change.path));
    else writeBelow(root, change.file.path, blobs.blobs.get(change.file.digest)!);
  }
  for (const { path, content } of resolution[form].configurationFiles) {
    writeBelow(root, path, fill ? Buffer.from(fill(content.toString())) : content);
  }
  return root;
}

/** The variables of a bundle that lies at `root`. */
export function consumerEnvironment(
  root: string,
  resolution: Resolution,
  { form, fill = (text) => text }: ConsumedForm = OFFLINE,
): Record<string, string> {
  const { environment } = resolution[form];
  return Object.fromEntries(
    environment.map(({ name, value, kind }) => [name, kind === 'path' ? join(root, value) : fill(value)]),
  );
}

/** Makes a request with the resolution's files, whose registries then have them. */
export async function serveResolution(
  server: RegistryServer,
  { blobs }: TestResolveContext,
  { files }: Resolution,
): Promise<{ id: number; fill: (text: string) => string }> {
  const contents = files.map(({ path, digest }) => [path, blobs.blobs.get(digest)!] as const);
  const id = await server.complete(Object.fromEntries(contents));
  const access = { baseUrl: server.url, requestId: id, password: (await server.password(id))! };
  return { id, fill: (text) => fillInRegistries(text, access) };
}

/** What npm or yarn has installed in a directory. */
export function nodeModules(directory: string) {
  const at = (path: string) => join(directory, 'node_modules', path);
  return {
    installed: (path: string) =>
      JSON.parse(readFileSync(join(at(path), 'package.json'), 'utf8')) as { version: string },
    has: (path: string) => existsSync(at(path)),
  };
}

export function writeBelow(root: string, path: string, content: Uint8Array | string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content, { mode });
}
