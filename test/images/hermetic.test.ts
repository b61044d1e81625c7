import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyImage } from '../../src/cli/verify/verify-image.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { readSettings, type Settings } from '../../src/domain/config.ts';
import { findRequest } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { findBuild } from '../../src/domain/images/find-builds.ts';
import type { ImageBuild } from '../../src/domain/images/image-build.ts';
import { submitBuild } from '../../src/domain/images/submit-build.ts';
import { readLog } from '../../src/domain/logs/read-log.ts';
import { type RunningWorker, startWorker } from '../../src/workers/runner.ts';
import { BuildStack, whyNoBuilds } from '../support/build-stack.ts';
import { debianImage } from '../support/debian-image.ts';
import { TestRepository } from '../support/git-repository.ts';
import {
  type HermeticProject,
  type HermeticProjects,
  startHermeticProjects,
} from '../support/hermetic-projects.ts';
import { PASSWORD } from '../support/registry-stack.ts';

/** Never waited for in place: the registry that they talk to is in this process. */
const execute = promisify(execFile);

const BASE = 'apps/images/debian:base';
const reason = whyNoBuilds();
if (reason !== null) console.warn(`skipped: ${reason}`);

describe.runIf(reason === null)('an image from a bundle, without network', () => {
  let stack: BuildStack;
  let projects: HermeticProjects;
  let settings: Settings;
  let hub: EventHub;
  let worker: RunningWorker;

  beforeAll(async () => {
    const layout = debianImage();
    stack = await BuildStack.start();
    const { database, blobs, dataDir } = stack.registry;
    await execute('skopeo', [
      ...['copy', '--quiet', '--dest-tls-verify=false', '--dest-creds', `ada:${PASSWORD}`],
      ...[`oci:${layout}:base`, `docker://${new URL(stack.url).host}/${BASE}`],
    ]);
    projects = await startHermeticProjects();
    settings = readSettings({
      STOWAGE_DATA_DIR: dataDir,
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
      ...projects.environment,
    });
    hub = new EventHub(database);
    await hub.start();
    const { destination } = stack.input({});
    worker = await startWorker({
      ...{ settings, database, blobs, hub },
      logger: pino({ level: process.env.STOWAGE_TEST_LOG ?? 'silent' }),
      imageBuilding: {
        builder: stack.builder(),
        destinationOf: async ({ imagePath }) => ({ ...destination, path: imagePath }),
      },
    });
  });

  afterAll(async () => {
    await worker?.stop(0);
    await hub?.close();
    await projects?.close();
    await stack?.close();
  });

  async function bundleOf(repository: TestRepository): Promise<number> {
    const { database } = stack.registry;
    const request = await submitRequest(database, settings, SYSTEM, {
      repository: `file://${repository.path}`,
      ref: repository.head,
    });
    for await (const event of hub.subject('bundle-request', request.id, 0, AbortSignal.timeout(60_000))) {
      if (event.type === 'state' && event.data.state !== 'in_progress') break;
    }
    expect((await findRequest(database.sql, request.id))!.error).toBeNull();
    return request.id;
  }

  async function buildFrom(requestId: number, name: string, useCache = true): Promise<ImageBuild> {
    const { database, blobs } = stack.registry;
    const { id } = await submitBuild(
      database,
      settings,
      SYSTEM,
      { projectName: 'apps', repository: 'images', name, version: 'v1' },
      { requestId, buildArguments: { BASE }, useCache },
      'replace',
    );
    for await (const event of hub.subject('image-build', id, 0, AbortSignal.timeout(240_000))) {
      if (event.type === 'state' && !['queued', 'running'].includes(String(event.data.state))) break;
    }
    const build = await findBuild(database, SYSTEM, id);
    const { lines } = await readLog(database, blobs, { subjectType: 'image-build', subjectId: id }, 0);
    expect(build.failure, lines.map(({ text }) => text).join('\n')).toBeNull();
    return build;
  }

  /** What the image's command prints, in an image's files and without network. */
  async function output(name: string): Promise<string> {
    const path = `apps/images/${name}`;
    const root = await stack.unpacked(`${path}:v1`);
    try {
      const inspected = await execute('skopeo', [
        ...['inspect', '--config', '--tls-verify=false', '--creds', `ada:${PASSWORD}`],
        `docker://${new URL(stack.url).host}/${path}:v1`,
      ]);
      const { config } = JSON.parse(inspected.stdout) as {
        config: { Cmd: string[]; Env: string[]; WorkingDir?: string };
      };
      const script = 'cd "$1"; shift; exec "$@"';
      const { stdout } = await execute(
        'unshare',
        ['--net', 'chroot', root, 'sh', '-c', script, 'sh', config.WorkingDir || '/', ...config.Cmd],
        {
          env: Object.fromEntries(config.Env.map((one) => one.split(/=(.*)/s).slice(0, 2))),
        },
      );
      return stdout.trim();
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }

  test.each<[string, (all: HermeticProjects) => HermeticProject]>([
    ['npm', (all) => all.npm],
    ['pip', (all) => all.pip],
    ['gomod', (all) => all.gomod],
  ])('%s: builds, runs, and leads to its commit', async (name, projectOf) => {
    const project = projectOf(projects);
    const repository = new TestRepository(project.files);
    const requestId = await bundleOf(repository);
    const build = await buildFrom(requestId, name);
    expect(build.options.isHermetic).toBe(true);
    expect(build.baseImages).toEqual([{ name: BASE, digest: expect.stringMatching(/^sha256:/) }]);
    expect(await output(name)).toBe(project.output);

    const again = await buildFrom(requestId, `${name}-again`, false);
    expect(again.digest).toBe(build.digest);

    const token = stack.registry.authorization('bob').authorization!.slice('Bearer '.length);
    const report = await verifyImage(
      `apps/images/${name}:v1`,
      { server: stack.url, token, commit: repository.head },
      new AbortController().signal,
    );
    expect(report).toMatchObject({
      ok: true,
      image: { digest: build.digest },
      provenance: { builtFrom: 'bundle', isHermetic: true },
      source: { commit: repository.head },
      sbom: { digest: expect.stringMatching(/^sha256:/) },
    });
  });
});
