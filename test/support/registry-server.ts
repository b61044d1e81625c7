import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Fastify from 'fastify';
import type { BundleRequest, RequestState } from '../../src/domain/bundle-requests/bundle-request.ts';
import { changeState } from '../../src/domain/bundle-requests/change-state.ts';
import { type BundleContents, manifestText } from '../../src/domain/bundles/bundle-manifest.ts';
import { readSettings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { findRequest, lockRequest } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { insertBundle } from '../../src/domain/database/sql/insert-bundle.ts';
import { findRegistryPassword } from '../../src/domain/database/sql/package-registries.ts';
import { recordBlobs } from '../../src/domain/database/sql/record-blobs.ts';
import type { RegistryKind } from '../../src/domain/package-registries/registry-address.ts';
import { registryName, registryUser } from '../../src/domain/package-registries/registry-address.ts';
import type { StoredBlob } from '../../src/domain/storage/blob-store.ts';
import { registerPackageRegistries } from '../../src/gateway/package-registries/register-package-registries.ts';
import { SERVER_LIMITS } from '../../src/gateway/security-headers.ts';
import { testDatabase } from './database.ts';
import { MemoryBlobStore } from './memory-blob-store.ts';
import { submit } from './requests.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  certificate: string;
  key: string;
}

/** A certificate for loopback that is its own authority, below a directory. */
export function selfSigned(directory: string): TlsFiles {
  const files = { certificate: join(directory, 'certificate.pem'), key: join(directory, 'key.pem') };
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', files.key, '-out', files.certificate],
    ],
    { stdio: 'ignore' },
  );
  return files;
}

/** The package registries on a server of their own, over requests whose bundles are made from literal files. */
export class RegistryServer {
  readonly database: Database;
  readonly blobs: MemoryBlobStore;
  readonly url: string;
  readonly #close: () => Promise<void>;

  private constructor(parts: Pick<RegistryServer, 'database' | 'blobs' | 'url'>, close: () => Promise<void>) {
    this.database = parts.database;
    this.blobs = parts.blobs;
    this.url = parts.url;
    this.#close = close;
  }

  static async start(tls?: TlsFiles): Promise<RegistryServer> {
    const database = await testDatabase();
    const blobs = new MemoryBlobStore();
    const app = Fastify({
      ...SERVER_LIMITS,
      forceCloseConnections: true,
      https: tls ? { key: readFileSync(tls.key), cert: readFileSync(tls.certificate) } : null,
    });
    registerPackageRegistries(app, { settings: readSettings({}), database, blobs });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    return new RegistryServer(
      { database, blobs, url: `http${tls ? 's' : ''}://127.0.0.1:${port}` },
      async () => {
        await app.close();
        await database.close();
      },
    );
  }

  /** A complete request whose bundle has these files, by path. */
  async complete(files: Record<string, string | Uint8Array>): Promise<number> {
    const request = await submit(this.database, { packageManagers: ['npm'] });
    const stored: StoredBlob[] = [];
    const entries = Object.entries(files)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, content]) => {
        const blob = this.blobs.put(Buffer.from(content as string));
        stored.push(blob);
        return { path, type: 'file' as const, mode: '0644', size: blob.size, digest: blob.digest };
      });
    const manifest: BundleContents['manifest'] = { formatVersion: 1, time: 0, entries };
    const { digest: manifestDigest, ...rest } = this.blobs.put(Buffer.from(manifestText(manifest)));
    await recordBlobs(this.database.sql, [...stored, { digest: manifestDigest, ...rest }]);
    await insertBundle(this.database.sql, {
      manifestDigest,
      tarDigest: manifestDigest,
      tarSize: 0,
      archiveDigest: manifestDigest,
      archiveSize: 0,
      reproducibleDigest: null,
      writerVersion: 'test',
      sourceMemberDigest: manifestDigest,
      entries: entries.length,
      blobs: stored.map(({ digest }) => digest),
    });
    await this.database.sql.query('update bundle_requests set bundle_digest = $2 where id = $1', [
      request.id,
      manifestDigest,
    ]);
    await this.changeState(request.id, 'complete');
    return request.id;
  }

  async changeState(id: number, state: RequestState): Promise<BundleRequest> {
    await this.database.transaction(async ({ sql }) => {
      await changeState(sql, await lockRequest(sql, id), state, `It is ${state}`);
    });
    return (await findRequest(this.database.sql, id))!;
  }

  async password(id: number): Promise<string | null> {
    return await findRegistryPassword(this.database.sql, id);
  }

  async authorization(kind: RegistryKind, id: number): Promise<string> {
    const credentials = `${registryUser(kind, id)}:${await this.password(id)}`;
    return `Basic ${Buffer.from(credentials).toString('base64')}`;
  }

  /** With a slash at its end. */
  base(kind: RegistryKind, id: number): string {
    return `${this.url}/packages/${registryName(kind, id)}/`;
  }

  /** As a client that knows the password; redirects are not followed. */
  async get(
    kind: RegistryKind,
    id: number,
    path: string,
    { headers = {}, method = 'GET' }: { headers?: Record<string, string>; method?: string } = {},
  ): Promise<Response> {
    const authorization = await this.authorization(kind, id);
    return await fetch(`${this.base(kind, id)}${path}`, {
      method,
      headers: { authorization, ...headers },
      redirect: 'manual',
    });
  }

  async close(): Promise<void> {
    await this.#close();
  }
}
