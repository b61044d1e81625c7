import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CachitoClient } from '../support/cachito-client.ts';
import { TestGateway } from '../support/gateway.ts';
import { TestRepository } from '../support/git-repository.ts';
import { type GoProxy, manyModules, projectOf, startGoProxy } from '../support/go-proxy.ts';

const run = promisify(execFile);

/** cachito.md 5.1: what the go command changes on request is in the app/ of the bundle. */
describe('gomod requests that change the source', { timeout: 60_000 }, () => {
  let gateway: TestGateway;
  let client: CachitoClient;
  let proxy: GoProxy;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stowage-changes-'));
    proxy = await startGoProxy([
      ...manyModules(1),
      { path: 'example.test/m0', version: 'v1.0.1', files: { 'm0.go': named('newer') } },
    ]);
    gateway = await TestGateway.start({
      worker: true,
      environment: { STOWAGE_GOPROXY: proxy.url, STOWAGE_GOSUMDB: 'off' },
    });
    client = new CachitoClient(gateway.url, gateway.headers('ada'));
  }, 60_000);
  afterAll(async () => {
    await gateway.close();
    await proxy.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** Unpacks the bundle of a request; its members, in order. */
  async function bundleOf(name: string, body: Record<string, unknown>, extra: Record<string, string> = {}) {
    const first = proxy.find('example.test/m0', 'v1.0.0');
    const repository = new TestRepository({ ...projectOf([first]), ...extra });
    const id = await client.submit({ repo: repository.path, ref: repository.head, ...body });
    const { state, state_reason } = await client.untilFinal(id);
    expect(`${state}: ${state_reason}`).toBe('complete: Completed successfully');
    const response = await fetch(`${client.requestUrl(id)}/download`);
    const archive = Buffer.from(await response.arrayBuffer());
    const digest = createHash('sha256').update(archive).digest('base64');
    expect(response.headers.get('digest')).toBe(`sha-256=${digest}`);
    const file = join(directory, `${name}.tar.gz`);
    await writeFile(file, archive);
    const root = await mkdtemp(join(directory, `${name}-`));
    await run('tar', ['-xzf', file, '-C', root]);
    const { stdout } = await run('tar', ['-tzf', file]);
    return { root, members: stdout.trim().split('\n') };
  }

  test('a replacement is in app/go.mod, and nothing is beside app and deps', async () => {
    const replacement = { name: 'example.test/m0', type: 'gomod', version: 'v1.0.1' };
    const { root, members } = await bundleOf('replaced', { dependency_replacements: [replacement] });
    expect(await readFile(join(root, 'app/go.mod'), 'utf8')).toContain(
      'replace example.test/m0 => example.test/m0 v1.0.1',
    );
    expect(await readFile(join(root, 'app/go.sum'), 'utf8')).toContain('example.test/m0 v1.0.1 h1:');
    expect(members.filter((path) => !path.startsWith('deps/'))).toEqual([
      'app/go.mod',
      'app/go.sum',
      'app/main.go',
    ]);
  });

  test('gomod-vendor puts the vendor directory into app/, in place of one that is out of date', async () => {
    const stale = { 'vendor/example.test/old/old.go': 'package old\n', 'vendor/modules.txt': '' };
    const { root, members } = await bundleOf('vendored', { flags: ['gomod-vendor'] }, stale);
    const vendored = members.filter((path) => path.includes('vendor/') && !path.endsWith('/'));
    expect(vendored).toContain('app/vendor/example.test/m0/m0.go');
    expect(vendored).not.toContain('app/vendor/example.test/old/old.go');
    expect(await readFile(join(root, 'app/vendor/modules.txt'), 'utf8')).toContain(
      '# example.test/m0 v1.0.0',
    );
    expect(members.filter((path) => path.startsWith('deps/'))).toEqual(['deps/', 'deps/gomod/']);
  });

  test('a path that is named twice is a package that is there twice', async () => {
    const repository = new TestRepository({ 'sub/go.mod': 'module example.test/sub\n\ngo 1.20\n' });
    const packages = { gomod: [{ path: 'sub' }, { path: './sub/' }] };
    const { path: repo, head: ref } = repository;
    const { state_reason, error_type } = await client.untilFinal(
      await client.submit({ repo, ref, packages }),
    );
    const version = `v0.0.0-20240506070809-${ref.slice(0, 12)}`;
    expect(state_reason).toBe(
      `Duplicate package: {'name': 'example.test/sub', 'type': 'gomod', 'version': '${version}'}`,
    );
    expect(error_type).toBe('InvalidRequestData');
  });
});

function named(name: string): string {
  return `package m0\n\nfunc Name() string { return "${name}" }\n`;
}
