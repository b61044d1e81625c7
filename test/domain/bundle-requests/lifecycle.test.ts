import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import { recordPackages } from '../../../src/domain/bundle-requests/record-packages.ts';
import { recordSource } from '../../../src/domain/bundle-requests/record-source.ts';
import { retryRequest } from '../../../src/domain/bundle-requests/retry.ts';
import { failStep, requestErrorOf } from '../../../src/domain/bundle-requests/run-step.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { findRequest, findSteps } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { readSubjectEvents } from '../../../src/domain/database/sql/read-events.ts';
import { insertSnapshot } from '../../../src/domain/database/sql/source-snapshots.ts';
import { ConflictError, InvalidChecksum, InvalidInputError } from '../../../src/domain/errors.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { LeaseLostError } from '../../../src/domain/lease-lost.ts';
import { testDatabase } from '../../support/database.ts';
import { submit, take } from '../../support/requests.ts';

const SNAPSHOT = `sha256:${'5'.repeat(64)}` as const;
const RESULT = { digest: `sha256:${'6'.repeat(64)}` as const, size: 2, crc32: 0 };
const SOURCE = { commit: 'a'.repeat(40), snapshot: SNAPSHOT, files: 1, size: 1, plan: null };

describe('the life of a bundle request', () => {
  let database: Database;
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());

  const steps = async (id: number): Promise<string[]> =>
    (await findSteps(database.sql, id)).map(
      (step) => `${step.task} ${step.packageManager ?? '-'} ${step.state}`,
    );
  const jobs = async (): Promise<string[]> =>
    (
      await database.sql.query<{ task: string }>(
        `select task_identifier as task from graphile_worker.jobs where key like 'step:%' order by id`,
      )
    ).map((job) => job.task);

  test('a submission stores the request, its steps and one job together', async () => {
    const before = (await jobs()).length;
    const request = await submit(database, { packageManagers: ['pip', 'npm'] });
    expect(request).toMatchObject({
      state: 'in_progress',
      stateReason: 'The request was initiated',
      packageManagers: ['npm', 'pip'],
      detect: false,
      version: 1,
      attempt: 1,
    });
    expect(await steps(request.id)).toEqual([
      'fetch-source - queued',
      'resolve-packages npm waiting',
      'resolve-packages pip waiting',
      'assemble-bundle - waiting',
    ]);
    expect((await jobs()).slice(before)).toEqual(['fetch-source']);
  });

  test.each([
    ['neither source', { repository: null }, 'Give either a repository or an upload'],
    ['both sources', { uploadId: 1 }, 'Give either a repository or an upload'],
    ['an option as URL', { repository: '--upload-pack=x' }, 'The repository must not begin with "-"'],
    ['an empty repository', { repository: '' }, 'The repository must be a URL without spaces'],
    ['an option as ref', { ref: '-x' }, '"-x" is not a valid commit, branch or tag'],
    ['a range as ref', { ref: 'a..b' }, '"a..b" is not a valid commit, branch or tag'],
    [
      'an unknown manager',
      { packageManagers: ['maven'] },
      'The following package managers are invalid: maven',
    ],
    [
      'a path upwards',
      { packages: { npm: [{ path: 'a/../../b' }] } },
      '"a/../../b" must be a relative path in the source repository',
    ],
    [
      'an absolute path',
      { packages: { pip: [{ path: '/etc' }] } },
      '"/etc" must be a relative path in the source repository',
    ],
    ['an unknown flag', { flags: ['zzz'] }, 'Invalid/Inactive flag(s): zzz'],
  ])('%s is refused and nothing is stored', async (_case, submission, message) => {
    const count = async (): Promise<unknown> => database.sql.query('select count(*) from bundle_requests');
    const before = await count();
    await expect(submit(database, submission)).rejects.toThrow(new InvalidInputError(message));
    expect(await count()).toEqual(before);
  });

  test('the steps of all managers run side by side, the last one queues the assembly', async () => {
    const request = await submit(database, { packageManagers: ['npm', 'pip'] });
    const source = await take(database, request, 'fetch-source');
    await recordSource(database, source!, SOURCE, []);
    expect(await steps(request.id)).toEqual([
      'fetch-source - succeeded',
      'resolve-packages npm queued',
      'resolve-packages pip queued',
      'assemble-bundle - waiting',
    ]);
    const npm = await take(database, request, 'resolve-packages', 'npm');
    const pip = await take(database, request, 'resolve-packages', 'pip');
    await Promise.all([
      recordPackages(database, npm!, RESULT.digest, [RESULT]),
      recordPackages(database, pip!, RESULT.digest, [RESULT]),
    ]);
    expect(await steps(request.id)).toEqual([
      'fetch-source - succeeded',
      'resolve-packages npm succeeded',
      'resolve-packages pip succeeded',
      'assemble-bundle - queued',
    ]);
  });

  test('reasons are recorded in the fixed order although pip finishes first', async () => {
    const request = await submit(database, { packageManagers: ['pip', 'npm'] });
    await recordSource(database, (await take(database, request, 'fetch-source'))!, SOURCE, []);
    const pip = await take(database, request, 'resolve-packages', 'pip');
    await recordPackages(database, pip!, RESULT.digest, [RESULT]);
    const npm = await take(database, request, 'resolve-packages', 'npm');
    await recordPackages(database, npm!, RESULT.digest, [RESULT]);
    const history = await database.sql.query<{ reason: string; at: Date }>(
      'select reason, at from bundle_request_states where request_id = $1 order by version',
      [request.id],
    );
    expect(history.map((entry) => entry.reason)).toEqual([
      'The request was initiated',
      'Fetching the application source',
      'Configuring Nexus for npm',
      'Fetching the npm dependencies at the "." directory"',
      'Finalizing the Nexus configuration for npm',
      'Configuring Nexus for pip',
      "Fetching dependencies at the '.' directory",
      'Finalizing the Nexus configuration for pip',
    ]);
  });

  test('a second holder of a step fences off the first', async () => {
    const request = await submit(database, { packageManagers: [] });
    const first = await take(database, request, 'fetch-source');
    const second = await take(database, request, 'fetch-source');
    expect([first!.step.attempt, second!.step.attempt]).toEqual([1, 2]);
    await expect(recordSource(database, first!, SOURCE, [])).rejects.toThrow(LeaseLostError);
    await failStep(database, first!, requestErrorOf(new Error('late')));
    expect((await findRequest(database.sql, request.id))!.state).toBe('in_progress');
    await recordSource(database, second!, SOURCE, []);
    expect(await steps(request.id)).toEqual(['fetch-source - succeeded', 'assemble-bundle - queued']);
    expect(await take(database, request, 'fetch-source')).toBeNull();
  });

  test('a failure ends the request with its text, code and details', async () => {
    const request = await submit(database, { packageManagers: ['npm'] });
    const lease = await take(database, request, 'fetch-source');
    const error = new InvalidChecksum(
      'checksum-mismatch',
      'The file x.tgz has an unexpected checksum value',
      {
        details: { file: 'x.tgz' },
      },
    );
    await failStep(database, lease!, requestErrorOf(error));
    expect(await findRequest(database.sql, request.id)).toMatchObject({
      state: 'failed',
      stateReason: 'The file x.tgz has an unexpected checksum value',
      error: {
        code: 'checksum-mismatch',
        errorType: 'InvalidChecksum',
        errorOrigin: 'client',
        details: { file: 'x.tgz' },
      },
    });
    expect(await steps(request.id)).toEqual([
      'fetch-source - failed',
      'resolve-packages npm cancelled',
      'assemble-bundle - cancelled',
    ]);
    expect(requestErrorOf(new TypeError('secret'))).toMatchObject({
      code: 'internal',
      message: 'An unknown error occurred',
      errorType: 'UnknownError',
    });
  });

  const insertSource = () =>
    insertSnapshot(
      database.sql,
      {
        ...{ origin: 'git.example/app', commit: 'a'.repeat(40), submodules: 'none', treeId: 'b'.repeat(40) },
        ...{ time: 0, index: SOURCE.snapshot, pack: SOURCE.snapshot, size: 1, files: 1 },
      },
      [{ digest: SOURCE.snapshot, size: 1, crc32: 0 }],
    );

  test('a step whose result may be gone is run again with the others', async () => {
    await insertSource();
    const request = await submit(database, { packageManagers: ['npm', 'pip'] });
    await recordSource(database, (await take(database, request, 'fetch-source'))!, SOURCE, []);
    for (const manager of ['npm', 'pip']) {
      const lease = await take(database, request, 'resolve-packages', manager);
      await recordPackages(database, lease!, RESULT.digest, [RESULT]);
    }
    await cancelRequest(database, SYSTEM, request.id);
    await database.sql.query(
      `update bundle_request_steps set finished_at = now() - interval '1 hour'
       where request_id = $1 and package_manager = 'npm'`,
      [request.id],
    );
    await retryRequest(database, readSettings({}), SYSTEM, request.id);
    expect(await steps(request.id)).toEqual([
      'fetch-source - succeeded',
      'resolve-packages npm queued',
      'resolve-packages pip succeeded',
      'assemble-bundle - waiting',
    ]);
  });

  test('cancel ends a request once; a cancelled one can be retried and keeps what succeeded', async () => {
    await insertSource();
    const request = await submit(database, { packageManagers: ['npm'] });
    await recordSource(database, (await take(database, request, 'fetch-source'))!, SOURCE, []);
    const running = await take(database, request, 'resolve-packages', 'npm');
    expect((await cancelRequest(database, SYSTEM, request.id)).state).toBe('cancelled');
    expect((await cancelRequest(database, SYSTEM, request.id)).state).toBe('cancelled');
    await expect(recordPackages(database, running!, RESULT.digest, [RESULT])).rejects.toThrow(LeaseLostError);

    const retried = await retryRequest(database, readSettings({}), SYSTEM, request.id);
    expect(retried).toMatchObject({ state: 'in_progress', attempt: 2, finishedAt: null });
    expect(await steps(request.id)).toEqual([
      'fetch-source - succeeded',
      'resolve-packages npm queued',
      'assemble-bundle - waiting',
    ]);
    expect(await take(database, request, 'resolve-packages', 'npm')).toBeNull();
    expect(await take(database, retried, 'resolve-packages', 'npm')).not.toBeNull();
    await expect(retryRequest(database, readSettings({}), SYSTEM, request.id)).rejects.toThrow(ConflictError);
  });

  test('events of a request count from 1 without gaps', async () => {
    const request = await submit(database, { packageManagers: ['npm'] });
    await recordSource(database, (await take(database, request, 'fetch-source'))!, SOURCE, []);
    await cancelRequest(database, SYSTEM, request.id);
    const events = await readSubjectEvents(database.sql, 'bundle-request', request.id, 0, 100);
    expect(events.map((event) => event.version)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)!.version).toBe((await findRequest(database.sql, request.id))!.version);
    expect(events[0]).toMatchObject({
      type: 'state',
      data: { state: 'in_progress', reason: 'The request was initiated' },
    });
  });
});
