import { gzipSync } from 'node:zlib';
import { readSettings } from '../../../../src/domain/config.ts';
import { failBuild, takeBuild } from '../../../../src/domain/images/run-build.ts';
import { LogWriter } from '../../../../src/domain/logs/log-writer.ts';
import { BOUNDARY, multipartBody, type UploadedFile } from '../../../support/multipart.ts';
import { file, tar } from '../../../support/packed-archives.ts';
import { PASSWORD, RegistryStack } from '../../../support/registry-stack.ts';

export interface FandoghAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects.
  body: any;
}

interface CallOptions {
  token?: string | null;
  namespace?: string;
  headers?: Record<string, string>;
  json?: unknown;
  body?: BodyInit;
}

/** The dialect as its clients see it; nothing is built unless a test says so. */
export class FandoghStack {
  readonly stack: RegistryStack;
  /** Of ada, who is a developer of the project `apps`. */
  token = '';

  private constructor(stack: RegistryStack) {
    this.stack = stack;
  }

  static async start(environment: Record<string, string> = {}): Promise<FandoghStack> {
    const fandogh = new FandoghStack(await RegistryStack.start(environment));
    fandogh.token = await fandogh.logIn('ada');
    return fandogh;
  }

  async logIn(username: string): Promise<string> {
    const { body } = await this.call('POST', '/api/tokens', {
      token: null,
      json: { username, password: PASSWORD },
    });
    return body.token;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<FandoghAnswer> {
    const { token = this.token, namespace, headers = {}, json, body } = options;
    const response = await fetch(`${this.stack.url}${path}`, {
      method,
      headers: {
        ...(token !== null && { authorization: `JWT ${token}` }),
        ...(namespace !== undefined && { 'ACTIVE-NAMESPACE': namespace }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body, duplex: 'half' }),
    } as RequestInit);
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : null,
    };
  }

  /** Status and body. */
  async answer(method: string, path: string, options: CallOptions = {}): Promise<[number, unknown]> {
    const { status, body } = await this.call(method, path, options);
    return [status, body];
  }

  async publish(
    image: string,
    version: string,
    archive?: Buffer,
    options: CallOptions = {},
  ): Promise<[number, unknown]> {
    const form = versionForm([
      ['version', version],
      ['source', { name: 'workspace', content: archive ?? (await sourceArchive()) }],
    ]);
    const { body, headers } = form;
    return await this.answer('POST', `/api/images/${image}/versions`, {
      ...options,
      body,
      headers: { ...headers, ...options.headers },
    });
  }

  async newestBuild(): Promise<number> {
    const [row] = await this.stack.database.sql.query<{ id: number }>(
      'select id from image_builds order by id desc limit 1',
    );
    return row!.id;
  }

  /** As a worker does it. */
  async take(id: number) {
    const { database } = this.stack;
    const [worker] = await database.sql.query<{ id: string }>(
      `insert into workers (id, host, pid, pool_id, concurrency) values (gen_random_uuid(), 'test', 1, 'test', 1)
       returning id`,
    );
    return (await takeBuild(database, { buildId: id, retries: 0 }, worker!.id))!;
  }

  async write(id: number, ...lines: string[]): Promise<void> {
    const log = new LogWriter(
      this.stack.database,
      { subjectType: 'image-build', subjectId: id },
      'build-image',
    );
    for (const line of lines) log.info(line);
    await log.flush();
  }

  async fail(lease: Awaited<ReturnType<FandoghStack['take']>>): Promise<void> {
    const settings = readSettings({ STOWAGE_DATA_DIR: this.stack.dataDir });
    await failBuild(this.stack.database, settings, lease, {
      reason: 'step-failed',
      message: 'a step failed',
      details: {},
    });
  }

  /** As if an image had been made of it. */
  async succeed(id: number, size: number): Promise<void> {
    await this.stack.database.sql.query(
      `update image_builds set state = 'succeeded', size = $2, is_admitted = false, started_at = now(),
         finished_at = now() where id = $1`,
      [id, size],
    );
  }

  close(): Promise<void> {
    return this.stack.close();
  }
}

type Parts = [name: string, value: string | UploadedFile][];

export function versionForm(parts: Parts): { body: Buffer<ArrayBuffer>; headers: Record<string, string> } {
  return {
    body: multipartBody(parts) as Buffer<ArrayBuffer>,
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  };
}

export async function sourceArchive(): Promise<Buffer> {
  return gzipSync(await tar(file('./Dockerfile', 'FROM scratch\nCOPY a.txt /\n'), file('./a.txt', 'a')));
}
