import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';

/** Run by library.ts in a process of its own: uses the library as a program would. Fails at the first surprise. */
interface Use {
  directory: string;
  /** To which all connections lead, whatever name and port they ask for. */
  port: number;
  application: string;
  username: string;
  password: string;
}

interface Library {
  login(input: { username: string; password: string }): Promise<{ token: string }>;
  images(input: { token: string }): Promise<{ name: string; last_version: { version: string } | null }[]>;
  createImage(input: { token: string; name: string }): Promise<{ message: string }>;
  versions(input: { token: string; name: string }): Promise<{ version: string; state: string }[]>;
  createVersion(input: {
    token: string;
    name: string;
    version: string;
    source: string;
  }): Promise<NodeJS.EventEmitter>;
  versionLogs(input: {
    token: string;
    image: string;
    version: string;
  }): Promise<{ state: string; logs: string }>;
}

const { directory, port, application, username, password } = JSON.parse(process.argv[2]!) as Use;
const connect = tls.connect as (options: tls.ConnectionOptions) => tls.TLSSocket;
tls.connect = ((options: tls.ConnectionOptions) =>
  connect({ ...options, host: '127.0.0.1', port })) as typeof tls.connect;
const library = createRequire(join(directory, 'package.json'))('fandogh') as Library;
const name = 'from-npm';

// The library prints what fails.
console.log = () => undefined;
const said = (what: string): void => void process.stdout.write(`ok - fandogh@0.8.0: ${what}\n`);

await assert.rejects(library.login({ username, password: 'wrong' }), { code: 400 });
const { token } = await library.login({ username, password });
said('login');

assert.match((await library.createImage({ token, name })).message, /موفقیت/);
await assert.rejects(library.createImage({ token, name }), { code: 400 });
const [image] = (await library.images({ token })).filter((one) => one.name === name);
assert.deepEqual(image?.last_version, null);
said('createImage, images');

const upload = await library.createVersion({ token, name, version: 'v1', source: application });
await once(upload, 'finish');
// It tells when all is sent, not when that is answered.
let build: { state: string; logs: string };
do {
  await sleep(250);
  build = await library.versionLogs({ token, image: name, version: 'v1' }).catch(() => ({
    ...{ state: 'PENDING', logs: '' },
  }));
} while (['PENDING', 'BUILDING'].includes(build.state));
assert.equal(build.state, 'BUILT', build.logs);
assert.match(build.logs, /^workspace is ready\.\n[\s\S]*\nImage has been pushed into the registry\.$/);
said('createVersion, versionLogs');

assert.partialDeepStrictEqual(await library.versions({ token, name }), [{ version: 'v1', state: 'BUILT' }]);
said('versions');
await assert.rejects(library.versions({ token: 'asda', name }), { code: 401 });
said('a bad token is refused');
