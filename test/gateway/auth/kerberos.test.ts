import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../../support/gateway.ts';
import { type Kdc, missingForKdc, REALM, startKdc } from '../../support/kdc.ts';

const run = promisify(execFile);
const missing = await missingForKdc();
if (missing !== null) console.warn(`Kerberos is not tested: ${missing}`);

const body = JSON.stringify({ repo: 'https://git.example/org/app.git', ref: 'c'.repeat(40) });

/** `Authorization: Negotiate` against a real KDC, with curl as the client (cachito.md 1.2). */
describe.skipIf(missing !== null)('Kerberos', () => {
  let kdc: Kdc;
  let gateway: TestGateway;
  const usual = { ...process.env };

  beforeAll(async () => {
    kdc = await startKdc();
    await kdc.addService('HTTP/localhost');
    await kdc.addUser('TBrady', 'secret');
    await kdc.addUser('worker/build', 'secret');
    // The library reads the environment of the process.
    Object.assign(process.env, kdc.serverEnvironment);
    gateway = await TestGateway.start({
      environment: {
        STOWAGE_KERBEROS_SERVICE: 'HTTP@localhost',
        STOWAGE_WORKER_USERNAMES: `worker/build@${REALM}`,
      },
    });
  });

  afterAll(async () => {
    await gateway?.close();
    await kdc?.stop();
    for (const name of ['KRB5_CONFIG', 'KRB5_KTNAME']) {
      if (usual[name] === undefined) delete process.env[name];
      else process.env[name] = usual[name];
    }
  });

  async function curl(
    tickets: Record<string, string>,
    ...options: string[]
  ): Promise<[head: string, body: string, said: string]> {
    const url = gateway.url.replace('127.0.0.1', 'localhost');
    const { stdout, stderr } = await run(
      'curl',
      ['-sS', '-i', '-4', '--negotiate', '-u', ':', ...options.map((option) => option.replace('URL', url))],
      { env: { ...process.env, ...tickets } },
    );
    const answers = stdout.split(/\r\n\r\n/);
    return [answers.at(-2)!, answers.at(-1)!, stderr];
  }

  const post = ['-H', 'Content-Type: application/json', '-d', body, 'URL/api/v1/requests'];

  test('a ticket is a login; its name keeps its case, and the answer proves who we are', async () => {
    const tickets = await kdc.login('TBrady', 'secret');
    const [head, answer] = await curl(tickets, ...post);
    expect(head).toMatch(/^HTTP\/1\.1 201 /);
    expect(head).toMatch(/^www-authenticate: Negotiate [A-Za-z0-9+/=]+\r?$/m);
    expect(JSON.parse(answer)).toMatchObject({ user: `TBrady@${REALM}`, submitted_by: null });
    // Again, as the same user.
    const [, again] = await curl(tickets, ...post);
    expect(JSON.parse(again).user).toBe(`TBrady@${REALM}`);
    const rows = await gateway.stack.database.sql.query(`select from users where name = $1`, [
      `TBrady@${REALM}`,
    ]);
    expect(rows).toHaveLength(1);
  });

  test('workers are known by their name in the realm', async () => {
    const worker = await kdc.login('worker/build', 'secret');
    const [, made] = await curl(worker, ...post);
    const change = [
      ...['-X', 'PATCH', '-H', 'Content-Type: application/json', '-d', '{"packages_count":1}'],
      `URL/api/v1/requests/${JSON.parse(made).id}`,
    ];
    expect((await curl(worker, ...change))[0]).toMatch(/^HTTP\/1\.1 200 /);
    const [head, answer] = await curl(await kdc.login('TBrady', 'secret'), ...change);
    expect(head).toMatch(/^HTTP\/1\.1 403 /);
    expect(JSON.parse(answer)).toEqual({ error: 'This API endpoint is restricted to Cachito workers' });
  });

  test('GraphQL knows the user too', async () => {
    const query = [
      '-H',
      'Content-Type: application/json',
      '-d',
      '{"query":"{ me { name } }"}',
      'URL/graphql',
    ];
    const [, answer] = await curl(await kdc.login('TBrady', 'secret'), ...query);
    expect(JSON.parse(answer)).toEqual({ data: { me: { name: `TBrady@${REALM}` } } });
  });

  test.each([
    ['nothing', ''],
    ['a piece of one', 'YII='],
    ['no base64', '!'],
    ['a long text', 'A'.repeat(10_000)],
  ])('what is no ticket is refused: %s', async (_title, token) => {
    const response = await fetch(`${gateway.url}/api/v1/requests`, {
      method: 'POST',
      headers: { authorization: `Negotiate ${token}`, 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Negotiate, Basic /);
  });

  test('a ticket that somebody else picked up is not taken again', async () => {
    const tickets = await kdc.login('TBrady', 'secret');
    const [, , said] = await curl(tickets, '-v', ...post);
    const authorization = /^> Authorization: (Negotiate \S+)/m.exec(said)![1]!;
    const response = await fetch(`${gateway.url}/api/v1/requests`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(401);
  });

  test('tokens and passwords go on as before', async () => {
    const { me } = await gateway.data('{ me { name } }');
    expect(me.name).toBe('ada');
  });
});
