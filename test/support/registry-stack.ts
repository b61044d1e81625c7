import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { readSettings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { addUser } from '../../src/domain/identity/accounts.ts';
import { Authenticator } from '../../src/domain/identity/authenticate.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { createProject, setProjectMember } from '../../src/domain/identity/projects.ts';
import { addToken } from '../../src/domain/identity/tokens.ts';
import type { BlobStore } from '../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../src/domain/storage/file-blob-store.ts';
import { type GatewayOptions, type RunningGateway, startGateway } from '../../src/gateway/server.ts';
import { testDatabase } from './database.ts';

/** `ada` is a developer of the private project `apps`, `bob` a viewer, `olga` an owner, `eve` nobody. */
export type User = 'admin' | 'ada' | 'bob' | 'olga' | 'eve' | 'anonymous';

export const PASSWORD = 'correct horse battery';

export interface Answer {
  status: number;
  headers: Headers;
  body: Buffer;
  /** The body, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects.
  json(): any;
  /** Codes of the errors in the body. */
  codes(): string[];
}

/** Gateways of this process on one database and data directory. */
export class RegistryStack {
  readonly database: Database;
  readonly blobs: FileBlobStore;
  readonly dataDir: string;
  readonly #hub: EventHub;
  readonly #tokens: Map<User, string>;
  readonly #gateways: RunningGateway[] = [];

  private constructor(database: Database, dataDir: string, hub: EventHub, tokens: Map<User, string>) {
    this.database = database;
    this.dataDir = dataDir;
    this.blobs = new FileBlobStore(join(dataDir, 'blobs'));
    this.#hub = hub;
    this.#tokens = tokens;
  }

  static async start(environment: Record<string, string> = {}): Promise<RegistryStack> {
    const dataDir = await mkdtemp(join(tmpdir(), 'stowage-registry-'));
    const database = await testDatabase();
    const hub = new EventHub(database);
    await hub.start();
    const stack = new RegistryStack(database, dataDir, hub, await populate(database));
    await stack.addGateway(environment);
    return stack;
  }

  /** URL of the first gateway. */
  get url(): string {
    return this.#gateways[0]!.url;
  }

  /** On the store of the others, unless it has one of its own. */
  async addGateway(
    environment: Record<string, string> = {},
    blobs: BlobStore = this.blobs,
    options: Pick<GatewayOptions, 'paceWindowMs'> = {},
  ): Promise<RunningGateway> {
    const settings = readSettings({ STOWAGE_DATA_DIR: this.dataDir, STOWAGE_PORT: '0', ...environment });
    const { database } = this;
    const gateway = await startGateway({
      settings,
      database,
      blobs,
      hub: this.#hub,
      authenticator: new Authenticator(database, settings),
      logger: pino({ level: process.env.STOWAGE_TEST_LOG ?? 'silent' }),
      ...options,
    });
    this.#gateways.push(gateway);
    return gateway;
  }

  authorization(user: User): Record<string, string> {
    const token = this.#tokens.get(user);
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async close(): Promise<void> {
    await Promise.all(this.#gateways.map((gateway) => gateway.close()));
    await this.#hub.close();
    await this.database.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** A call as `ada`, who may push to `apps`, unless told otherwise. Paths begin behind the host. */
  async call(
    method: string,
    path: string,
    options: {
      as?: User;
      headers?: Record<string, string>;
      body?: Uint8Array | string | ReadableStream;
      url?: string;
    } = {},
  ): Promise<Answer> {
    const { as = 'ada', headers = {}, body, url = this.url } = options;
    const response = await fetch(new URL(path, url), {
      method,
      headers: { ...this.authorization(as), ...headers },
      ...(body !== undefined && { body: body as BodyInit, duplex: 'half' }),
    } as RequestInit);
    const bytes = Buffer.from(await response.arrayBuffer());
    const json = () => JSON.parse(bytes.toString('utf8'));
    return {
      status: response.status,
      headers: response.headers,
      body: bytes,
      json,
      codes: () => json().errors.map((error: { code: string }) => error.code),
    };
  }

  /** Uploads a blob in one request; returns its digest. */
  async pushBlob(name: string, bytes: Uint8Array | string, as: User = 'ada'): Promise<string> {
    const digest = sha256(bytes);
    const answer = await this.call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, {
      as,
      body: bytes,
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    return digest;
  }

  async putManifest(
    name: string,
    reference: string,
    manifest: object | string,
    options: { as?: User; type?: string; query?: string } = {},
  ): Promise<Answer> {
    const body = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    const type = options.type ?? (JSON.parse(body).mediaType as string);
    return await this.call('PUT', `/v2/${name}/manifests/${reference}${options.query ?? ''}`, {
      as: options.as ?? 'ada',
      body,
      headers: { 'content-type': type },
    });
  }

  /** An image with one layer of its own; returns its manifest. */
  async pushImage(name: string, tag: string, content = `${name}:${tag}`, as: User = 'ada') {
    const layer = await this.pushBlob(name, `layer of ${content}`, as);
    const config = await this.pushBlob(name, `{"os":"linux","architecture":"amd64","of":"${content}"}`, as);
    const manifest = imageManifest({
      config: descriptor(`{"os":"linux","architecture":"amd64","of":"${content}"}`, OCI_CONFIG),
      layers: [descriptor(`layer of ${content}`, OCI_LAYER)],
    });
    const text = JSON.stringify(manifest);
    const answer = await this.putManifest(name, tag, text, { as });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    return { digest: sha256(text), text, layer, config };
  }
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';

export function imageManifest(parts: object): object {
  return { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [], ...parts };
}

export function descriptor(bytes: Uint8Array | string, mediaType: string, more: object = {}): object {
  return { mediaType, digest: sha256(bytes), size: Buffer.byteLength(bytes), ...more };
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function sha512(bytes: Uint8Array | string): string {
  return `sha512:${createHash('sha512').update(bytes).digest('hex')}`;
}

async function populate(database: Database): Promise<Map<User, string>> {
  await addUser(database, { name: 'admin', password: PASSWORD, isAdmin: true });
  await addUser(database, { name: 'ada', password: PASSWORD });
  for (const name of ['bob', 'olga', 'eve']) await addUser(database, { name });
  await createProject(database, SYSTEM, { name: 'apps' });
  for (const [userName, role] of [
    ['ada', 'developer'],
    ['bob', 'viewer'],
    ['olga', 'owner'],
  ] as const) {
    await setProjectMember(database, SYSTEM, { projectName: 'apps', userName, role });
  }
  await database.sql.query(
    `insert into repositories (project_id, name) select id, 'images' from projects where name = 'apps'`,
  );
  const tokens = new Map<User, string>();
  for (const userName of ['admin', 'ada', 'bob', 'olga', 'eve'] as const) {
    const { secret } = await addToken(database, {
      userName,
      name: 'test',
      scopes: ['read', 'write', 'admin'],
    });
    tokens.set(userName, secret);
  }
  return tokens;
}
