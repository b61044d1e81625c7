import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Agent, fetch, type RequestInit } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../../../support/gateway.ts';
import { type GemServer, gemSource, makeGem, startGemServer } from '../../../support/gem-server.ts';
import { gemfileLock, gitSection } from '../../../support/gemfile-lock.ts';
import { TestRepository } from '../../../support/git-repository.ts';

const run = promisify(execFile);
const GIT_URL = 'https://git.example/team/git-gem.git';
/** Nothing listens there: whoever asks another host than this one gets no answer. */
const NOWHERE = 'http://127.0.0.1:9';

/** cachito.md 4.4, 4.5: the real Bundler, with what clients of Cachito's API are given. */
describe.each(['http', 'https'] as const)(
  'Bundler against a gateway over %s',
  { timeout: 60_000 },
  (protocol) => {
    let gateway: TestGateway;
    let registry: GemServer;
    let dependency: TestRepository;
    let project: TestRepository;
    let root: string;
    let dispatcher: Agent;

    beforeAll(async () => {
      await run('bundle', ['--version']).catch((cause) => {
        throw new Error('Bundler is missing: install the Debian packages of system-packages.txt', { cause });
      });
      root = mkdtempSync(join(tmpdir(), 'stowage-bundler-'));
      registry = await startGemServer([
        makeGem('plain', '1.0'),
        makeGem('plain', '2.0'),
        makeGem('dashed-name', '2.0.1.rc1', { dependencies: { plain: '~> 1.0' } }),
      ]);
      dependency = new TestRepository(gemSource('git-gem', '4.2'));
      writeFileSync(
        join(root, 'gitconfig'),
        `[url "file://${dependency.path}"]\n\tinsteadOf = ${GIT_URL}\n[safe]\n\tdirectory = *\n`,
      );
      project = new TestRepository({
        'web/Gemfile': `source "https://rubygems.org"\ngem "dashed-name"\ngem "git-gem", git: "${GIT_URL}"\n`,
        'web/Gemfile.lock': gemfileLock({
          sections: [gitSection(GIT_URL, { revision: dependency.head }, ['git-gem (4.2)'])],
          gems: ['dashed-name (2.0.1.rc1)', '  plain (~> 1.0)', 'plain (1.0)'],
          dependencies: ['dashed-name', 'git-gem!'],
        }),
      });
      const certificate = protocol === 'https' ? await makeCertificate(root) : null;
      dispatcher = new Agent(
        certificate ? { connect: { ca: readFileSync(certificate.STOWAGE_TLS_CERT) } } : {},
      );
      gateway = await TestGateway.start({
        worker: true,
        environment: {
          ...certificate,
          STOWAGE_RUBYGEMS_SOURCE: registry.url,
          STOWAGE_GIT_CONFIG: join(root, 'gitconfig'),
        },
      });
    });

    afterAll(async () => {
      await dispatcher.close();
      await gateway.close();
      await registry.close();
      for (const path of [root, dependency.path, project.path])
        rmSync(path, { recursive: true, force: true });
    });

    const call = (path: string, init: RequestInit = {}) =>
      fetch(`${gateway.url}${path}`, {
        ...init,
        headers: { ...init.headers, ...gateway.headers('ada') },
        dispatcher,
      });

    async function submit(flags: readonly string[] = []): Promise<number> {
      const response = await call('/api/v1/requests', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          repo: `file://${project.path}`,
          ref: project.head,
          pkg_managers: ['rubygems'],
          packages: { rubygems: [{ path: 'web' }] },
          flags,
        }),
      });
      const { id } = (await response.json()) as { id: number };
      expect(response.status).toBe(201);
      expect(await gateway.stack.untilFinal(id)).toMatchObject({ state: 'complete', error: null });
      return id;
    }

    const get = (id: number, path: string) => call(`/api/v1/requests/${id}/${path}`);

    /** As Cachito's own script does it: unpack, and lay the configuration files over it. */
    async function unpack(id: number): Promise<string> {
      const directory = mkdtempSync(join(root, 'bundle-'));
      const archive = join(root, `${id}.tar.gz`);
      writeFileSync(archive, Buffer.from(await (await get(id, 'download')).arrayBuffer()));
      await run('tar', ['xzf', archive, '-C', directory]);
      const files = (await (await get(id, 'configuration-files')).json()) as {
        path: string;
        content: string;
      }[];
      for (const { path, content } of files) {
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), Buffer.from(content, 'base64'));
      }
      return join(directory, 'app/web');
    }

    async function bundle(directory: string, ...args: string[]): Promise<string> {
      const { stdout } = await run('bundle', args, {
        cwd: directory,
        env: {
          PATH: process.env.PATH,
          HOME: mkdtempSync(join(root, 'home-')),
          LANG: 'C.UTF-8',
          http_proxy: NOWHERE,
          https_proxy: NOWHERE,
          no_proxy: '127.0.0.1',
          // Bundler fetches the index itself, and leaves gems to RubyGems, which knows no settings of Bundler.
          ...(protocol === 'https' && { SSL_CERT_FILE: join(directory, '../registry-ca.pem') }),
        },
      });
      return stdout;
    }

    const SCRIPT =
      'require "dashed-name"; require "plain"; require "git-gem"; puts DASHED_NAME, PLAIN, GIT_GEM';

    test('installs from the registry of the request', async () => {
      const id = await submit();
      const directory = await unpack(id);
      const before = new Map(registry.hits);
      await bundle(directory, 'install');
      expect(await bundle(directory, 'exec', 'ruby', '-e', SCRIPT)).toBe('2.0.1.rc1\n1.0\n4.2\n');
      expect(registry.hits).toEqual(before);
    });

    test('installs from the bundle alone with the flag', async () => {
      const directory = await unpack(await submit(['offline-bundle']));
      await bundle(directory, 'install', '--local');
      expect(await bundle(directory, 'exec', 'ruby', '-e', SCRIPT)).toBe('2.0.1.rc1\n1.0\n4.2\n');
    });

    test('the offline form needs the flag', async () => {
      const id = await submit();
      const query = `{ bundleRequest(number: ${id}) { configurationFiles(format: OFFLINE) { path } } }`;
      const response = await call('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const { errors } = (await response.json()) as { errors: { message: string }[] };
      expect(errors.map(({ message }) => message)).toEqual([
        'The request was not made with the offline-bundle flag',
      ]);
    });

    test('reports packages, dependencies and purls', async () => {
      const id = await submit();
      const version = `git+${GIT_URL}@${dependency.head}`;
      const dependencies = [
        { name: 'dashed-name', replaces: null, type: 'rubygems', version: '2.0.1.rc1' },
        { name: 'git-gem', replaces: null, type: 'rubygems', version },
        { name: 'plain', replaces: null, type: 'rubygems', version: '1.0' },
      ];
      const request = (await (await call(`/api/v1/requests/${id}`)).json()) as {
        packages: { name: string }[];
        dependencies: unknown;
      };
      const name = request.packages[0]!.name;
      expect(name).toMatch(/^stowage-repository-\w+\/web$/);
      expect(request).toMatchObject({
        packages: [{ name, type: 'rubygems', version: project.head, path: 'web', dependencies }],
        dependencies,
        environment_variables: {},
      });
      const { image_contents: contents } = (await (await get(id, 'content-manifest')).json()) as {
        image_contents: { dependencies: { purl: string }[]; sources: unknown }[];
      };
      expect(contents[0]!.dependencies.map(({ purl }) => purl)).toEqual([
        'pkg:gem/dashed-name@2.0.1.rc1',
        'pkg:gem/plain@1.0',
        `pkg:generic/git-gem?vcs_url=${encodeURIComponent(`${GIT_URL}@${dependency.head}`)}`,
      ]);
      expect(contents[0]!.sources).toEqual(contents[0]!.dependencies);
    });
  },
);

/** Of the gateway, signed by itself: the consumer gets it with the configuration files. */
async function makeCertificate(directory: string) {
  const [certificate, key] = [join(directory, 'server.pem'), join(directory, 'server.key')];
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  return {
    STOWAGE_TLS_CERT: certificate,
    STOWAGE_TLS_KEY: key,
    STOWAGE_REGISTRY_CA_FILE: certificate,
  };
}
