import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '../../../domain/storage/blob-store.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { type FileKind, type ModuleFiles, UnknownModuleFile } from './module-files.ts';
import { isCanonicalVersion, type ModuleVersion, unescapeModulePath } from './module-path.ts';

/** The proxy on loopback that the go command reads: what is fetched ahead and what is not goes the same way. */
export interface ModuleProxy {
  url: string;
  /** The first failure that was more than an unknown module; the go command tells less about it. */
  readonly failure: unknown;
  close(): Promise<void>;
}

/** What the path of a request asks for. */
type Wanted = { kind: FileKind; module: ModuleVersion } | { document: string };

/** Nobody else on the machine may use the proxy: the path begins with a secret. */
export async function startModuleProxy(files: ModuleFiles, blobs: BlobStore): Promise<ModuleProxy> {
  const secret = randomBytes(16).toString('hex');
  let failure: unknown = null;
  const server = createServer((request, response) => {
    const prefix = `/${secret}/`;
    const path = request.url ?? '';
    if (request.method !== 'GET' || !path.startsWith(prefix)) return answer(response, 404);
    serve(path.slice(prefix.length), files, blobs, response, (error) => {
      failure ??= error;
    }).catch(() => answer(response, 500));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${secret}`,
    get failure() {
      return failure;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  path: string,
  files: ModuleFiles,
  blobs: BlobStore,
  response: ServerResponse,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const wanted = parsePath(path);
  if (wanted === null) return answer(response, 404);
  if ('document' in wanted) {
    // go has other ways to what it asks for here: a failure is its own to tell.
    const body = await files.document(wanted.document);
    if (body === null) return answer(response, 404);
    response.end(body);
    return;
  }
  let file: Artifact;
  try {
    file = await files.expected(wanted.kind, wanted.module);
  } catch (error) {
    if (error instanceof UnknownModuleFile) return answer(response, 404);
    onFailure(error);
    throw error;
  }
  response.writeHead(200, { 'content-length': file.size });
  await pipeline(blobs.read(file.digest), response);
}

/** `<escaped module>/@v/<escaped version>.<kind>`, or something whose answer changes. */
function parsePath(path: string): Wanted | null {
  let plain: string;
  try {
    plain = decodeURIComponent(path);
  } catch {
    return null;
  }
  const isSafe = /^[\w.~!/@+,:-]+$/.test(plain) && !plain.split('/').some((part) => /^\.*$/.test(part));
  if (!isSafe) return null;
  if (plain.startsWith('sumdb/')) return { document: plain };
  const [, escapedPath = '', rest = ''] = /^(.+)\/@(v\/.+|latest)$/.exec(plain) ?? [];
  const module = unescapeModulePath(escapedPath);
  if (module === null) return null;
  const [, escapedVersion = '', kind] = /^v\/(.+)\.(info|mod|zip)$/.exec(rest) ?? [];
  const version = unescapeModulePath(escapedVersion);
  if (version === null || !isCanonicalVersion(version)) return { document: plain };
  return { kind: kind as FileKind, module: { path: module, version } };
}

function answer(response: ServerResponse, status: number): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status).end();
}
