import { createReadStream, statSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type Database, openDatabase } from '../src/domain/database/database.ts';
import { addUser } from '../src/domain/identity/accounts.ts';
import { SYSTEM } from '../src/domain/identity/principal.ts';
import { createProject } from '../src/domain/identity/projects.ts';
import { addToken } from '../src/domain/identity/tokens.ts';
import { type Service, startService } from './child-process.ts';
import type { Stage } from './stage.ts';

/** What the builds endpoint tells. */
interface BuildLog {
  state: 'PENDING' | 'BUILDING' | 'BUILT' | 'FAILED';
  logs: string;
  lines_count: number;
}

/** A gateway, a worker, and a client of Fandogh's API with one image. */
export interface BuildStack {
  database: Database;
  gateway: Service;
  token: string;
  startWorker(): Promise<Service>;
  /** Uploads an archive as a version; resolves with the answer, which comes when it is stored and queued. */
  publish(version: string, archive: string): Promise<void>;
  read(version: string, offset?: number): Promise<BuildLog>;
  /** Until it is built; throws with the end of the log when it fails. */
  built(version: string): Promise<void>;
  /** Number of the newest build of the version. */
  buildOf(version: string): Promise<number>;
}

const IMAGE = 'bench';

export async function startBuildStack(stage: Stage): Promise<BuildStack> {
  const environment = {
    STOWAGE_DATA_DIR: await stage.newDirectory(),
    DATABASE_URL: await stage.newDatabase(),
    // Sources are larger than those that the Fandogh CLI may send by default.
    STOWAGE_FANDOGH_UPLOAD_BYTES: String(2 * 1024 ** 3),
  };
  const gateway = await startService(stage, 'gateway', { ...environment, STOWAGE_PORT: '0' });
  const database = await openDatabase({ url: environment.DATABASE_URL, connections: 2 });
  stage.atEnd(() => database.close());
  await addUser(database, { name: 'bench', isAdmin: true });
  const { secret: token } = await addToken(database, { userName: 'bench', name: 'bench' });
  await createProject(database, SYSTEM, { name: 'bench' });
  const headers = { authorization: `Bearer ${token}`, 'active-namespace': 'bench' };
  const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const response = await fetch(`${gateway.url}/api${path}`, {
      ...init,
      headers: { ...headers, 'content-type': 'application/json' },
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  };
  await call('/images', { method: 'POST', body: JSON.stringify({ name: IMAGE }) });
  const versions = `/images/${IMAGE}/versions`;
  const read = async (version: string, offset = 0): Promise<BuildLog> =>
    (await call(`${versions}/${version}/builds?image_offset=${offset}`)) as BuildLog;
  return {
    database,
    gateway,
    token,
    startWorker: () => startService(stage, 'worker', environment),
    publish: (version, archive) => upload(`${gateway.url}/api${versions}`, headers, { version, archive }),
    read,
    async built(version) {
      for (let offset = 0; ; ) {
        const log = await read(version, offset);
        if (log.state === 'BUILT') return;
        if (log.state === 'FAILED')
          throw new Error(`build ${version}: ${(await read(version)).logs.slice(-2000)}`);
        offset = log.lines_count;
        await pause(20);
      }
    },
    async buildOf(version) {
      const [row] = await database.sql.query<{ id: number }>(
        `select b.id from image_builds b join published_versions v on v.id = b.version_id where v.name = $1
         order by b.id desc limit 1`,
        [version],
      );
      return row!.id;
    },
  };
}

/** As the Fandogh CLI sends it, the archive streamed from its file. */
function upload(
  url: string,
  headers: Record<string, string>,
  { version, archive }: { version: string; archive: string },
): Promise<void> {
  const boundary = 'stowage-bench';
  const head = [
    `--${boundary}\r\ncontent-disposition: form-data; name="version"\r\n\r\n${version}\r\n`,
    `--${boundary}\r\ncontent-disposition: form-data; name="source"; filename="workspace"\r\n`,
    'content-type: text/plain\r\n\r\n',
  ].join('');
  const tail = `\r\n--${boundary}--\r\n`;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        headers: {
          ...headers,
          'content-type': `multipart/form-data; boundary=${boundary}`,
          'content-length': head.length + statSync(archive).size + tail.length,
        },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode} ${body}`)),
        );
      },
    );
    sent.on('error', reject);
    sent.write(head);
    const file = createReadStream(archive, { highWaterMark: 1024 * 1024 });
    file.on('error', reject);
    file.on('end', () => sent.end(tail));
    file.pipe(sent, { end: false });
  });
}
