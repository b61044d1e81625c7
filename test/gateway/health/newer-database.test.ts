import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { watchSchema } from '../../../src/cli/watch-schema.ts';
import { migrate } from '../../../src/domain/database/migrate.ts';
import { TestGateway } from '../../support/gateway.ts';
import { TestRepository } from '../../support/git-repository.ts';

/** What a later release may do to tables that this one works on. */
const LATER = {
  '9000-expand.sql': `
    create table notes (request_id bigint primary key references bundle_requests on delete cascade, text text not null);
    alter table bundle_requests add column later text not null default 'nothing', add column score int;
    alter table bundle_request_steps add column later jsonb;
    alter table events add column later text;
    alter table workers add column later text;
    create function note() returns trigger language plpgsql as $$
    begin
      insert into notes values (new.id, new.state) on conflict (request_id) do update set text = excluded.text;
      return new;
    end $$;
    create trigger note after insert or update on bundle_requests for each row execute function note();`,
  '9001-index.sql': 'create index concurrently bundle_requests_later on bundle_requests (later, id);',
};

test('gateway and worker serve while a later release migrates their database, and after it', {
  timeout: 60_000,
}, async () => {
  const gateway = await TestGateway.start({ worker: true });
  const directory = await mkdtemp(join(tmpdir(), 'stowage-later-'));
  const { database, hub } = gateway.stack;
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const ended = new AbortController();
  const watching = watchSchema({ database, hub, logger }, ended.signal);
  try {
    for (const [name, text] of Object.entries(LATER)) await writeFile(join(directory, name), text);
    const repository = new TestRepository({ 'README.md': 'hello' });
    const runOne = async (): Promise<string> => {
      const submitted = await gateway.data(
        `mutation ($repository: String!) {
           submitBundleRequest(input: { repository: $repository, ref: "main", packageManagers: [] }) {
             ... on MutationSubmitBundleRequestSuccess { data { number } } ... on Error { message }
           }
         }`,
        { repository: repository.path },
      );
      return (await gateway.stack.untilFinal(submitted.submitBundleRequest.data.number)).state;
    };
    const migration = { isDone: false };
    const outcomes: Promise<string[]> = (async () => {
      const states = [await runOne()];
      while (!migration.isDone) states.push(await runOne());
      return [...states, await runOne()];
    })();
    await hub.woken('bundle-request', AbortSignal.timeout(20_000));
    await migrate(database.url, { directory });
    migration.isDone = true;
    const states = await outcomes;
    expect(states.length).toBeGreaterThanOrEqual(2);
    expect(new Set(states)).toEqual(new Set(['complete']));
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    const { bundleRequests } = await gateway.data(
      '{ bundleRequests(first: 50) { edges { node { state } } } }',
    );
    expect(bundleRequests.edges).toHaveLength(states.length);
    await expect.poll(() => lines.flatMap(({ migrations }) => migrations)).toEqual(Object.keys(LATER));
    expect(lines[0]).toMatchObject({
      level: 40,
      msg: 'the database is newer than this process, which goes on: replace it soon',
    });
  } finally {
    ended.abort();
    await watching;
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  }
});
