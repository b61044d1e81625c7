import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordBlobs } from '../../../../src/domain/database/sql/record-blobs.ts';
import { SYSTEM } from '../../../../src/domain/identity/principal.ts';
import { createProject } from '../../../../src/domain/identity/projects.ts';
import { failBuild } from '../../../../src/domain/images/run-build.ts';
import { LogWriter } from '../../../../src/domain/logs/log-writer.ts';
import { type Caller, TestGateway } from '../../../support/gateway.ts';
import { makeTar } from '../../../support/gem-server.ts';
import { submitImageBuild, takeImageBuild } from '../../../support/image-builds.ts';
import { BOUNDARY, uploadBody } from '../../../support/multipart.ts';
import { IMAGE_CALLERS, IMAGE_ROWS } from './permissions.ts';

let gateway: TestGateway;
let counter = 0;

beforeAll(async () => {
  gateway = await TestGateway.start();
  const { database, blobs } = gateway.stack;
  // Something that everybody who is logged in may see: the first event of the feed.
  await createProject(database, SYSTEM, { name: 'open', visibility: 'public' });
  const blob = await blobs.write(makeTar({ Dockerfile: 'FROM scratch\n' }));
  await recordBlobs(database.sql, [blob]);
  await submitImageBuild(database, { project: 'open' });
  // Seen by members of `apps` only.
  await database.sql.query(`update projects set visibility = 'private' where name = 'open'`);
});
afterAll(async () => await gateway?.close());

describe.each(IMAGE_ROWS)('$field: $operation', ({ field, operation, outcomes }) => {
  test('gives everybody what is theirs', async () => {
    const { database } = gateway.stack;
    const visibility = field === 'Subscription.imageBuildFeed' ? 'public' : 'private';
    await database.sql.query(`update projects set visibility = $1 where name = 'open'`, [visibility]);
    const actual: Record<string, string> = {};
    for (const as of IMAGE_CALLERS) actual[as] = await outcomeOf(as, operation);
    expect(actual).toEqual(outcomes);
  });
});

async function outcomeOf(as: Caller, operation: string): Promise<string> {
  counter += 1;
  const { database, settings } = gateway.stack;
  const name = `image-${counter}`;
  const waiting = await submitImageBuild(database, { image: name, version: 'a' });
  const failed = await submitImageBuild(database, { image: name, version: 'b' });
  const lease = (await takeImageBuild(database, failed))!;
  const log = new LogWriter(database, { subjectType: 'image-build', subjectId: failed.id }, 'build');
  log.info('a line');
  await log.flush();
  await failBuild(database, settings, lease, { reason: 'internal', message: 'no', details: {} });
  const text = operation
    .replaceAll('NAME', name)
    .replaceAll(/\bN\b/g, `${waiting.id}`)
    .replaceAll(/\bF\b/g, `${failed.id}`)
    .replaceAll(/\bI\b/g, `${waiting.imageId}`)
    .replaceAll('#', `${counter}`);
  if (text === 'UPLOAD') return await upload(as, name);
  if (text.startsWith('subscription')) {
    for await (const { data, errors } of gateway.sse(text, {}, as)) return outcome(data, errors);
    return 'null';
  }
  const { data, errors } = await gateway.graphql(text, {}, as);
  return outcome(data, errors);
}

async function upload(as: Caller, image: string): Promise<string> {
  const query = `mutation ($file: Upload!) {
    x: uploadAndBuild(file: $file, input: { project: "apps", image: "${image}" }) { ... on Error { code } }
  }`;
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-stowage-csrf': '1',
      ...gateway.headers(as),
    },
    body: new Uint8Array(
      uploadBody({ name: 'a.tar', content: makeTar({ Dockerfile: 'FROM scratch\n' }) }, query),
    ),
  });
  const { data, errors = [] } = (await response.json()) as { data: unknown; errors?: [] };
  return outcome(data, errors);
}

function outcome(data: unknown, errors: { message: string; extensions?: Record<string, unknown> }[]): string {
  if (errors.length > 0) return String(errors[0]!.extensions?.code ?? errors[0]!.message);
  const { x } = data as { x: null | { code?: string; nodes?: unknown[] } };
  if (x === null) return 'null';
  if (x.nodes?.length === 0) return 'none';
  return x.code ?? 'yes';
}
