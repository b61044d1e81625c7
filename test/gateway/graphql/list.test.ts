import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Submission } from '../../../src/domain/bundle-requests/native-rules/submission.ts';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import { type Caller, TestGateway } from '../../support/gateway.ts';

const A = 'https://git.example/a.git';
const B = 'https://git.example/b.git';
const COMMIT = 'c'.repeat(40);

let gateway: TestGateway;
/** In the order in which they were submitted. */
let numbers: number[];

const submitAs = async (name: string, submission: Partial<Submission> = {}): Promise<number> => {
  const { database, settings } = gateway.stack;
  const principal = await gateway.principal(name);
  const { id } = await submitRequest(database, settings, principal, {
    repository: A,
    packageManagers: [],
    ...submission,
  });
  return id;
};

beforeAll(async () => {
  gateway = await TestGateway.start();
  numbers = [
    await submitAs('ada', { ref: 'main' }),
    await submitAs('ada', { packageManagers: ['npm', 'pip'], projectName: 'apps' }),
    await submitAs('admin', { repository: B, packageManagers: ['npm'], projectName: 'apps' }),
    await submitAs('eve', { repository: B, packageManagers: ['gomod'], ref: 'main' }),
    await submitAs('bob'),
  ];
  const { sql } = gateway.stack.database;
  await sql.query("update bundle_requests set state = 'complete', commit = $2 where id = $1", [
    numbers[0],
    COMMIT,
  ]);
  await sql.query("update bundle_requests set state = 'failed' where id = $1", [numbers[1]]);
  for (const [index, id] of numbers.entries()) {
    await sql.query('update bundle_requests set created_at = $2 where id = $1', [
      id,
      `2026-01-0${index + 1}T00:00:00Z`,
    ]);
  }
});
afterAll(async () => {
  await gateway?.close();
});

const LIST = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: BundleRequestFilter) {
  list: bundleRequests(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    totalCount
    pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
    edges { cursor node { number } }
  }
}`;
interface Page {
  numbers: number[];
  totalCount: number;
  start: string | null;
  end: string | null;
  more: [previous: boolean, next: boolean];
}
const list = async (variables: object, as: Caller = 'admin'): Promise<Page> => {
  const { pageInfo, edges, totalCount } = (await gateway.data(LIST, { ...variables }, as)).list;
  return {
    numbers: edges.map((edge: { node: { number: number } }) => edge.node.number),
    totalCount,
    start: pageInfo.startCursor,
    end: pageInfo.endCursor,
    more: [pageInfo.hasPreviousPage, pageInfo.hasNextPage],
  };
};

describe('Filters', () => {
  test.each<[object, number[]]>([
    [{}, [4, 3, 2, 1, 0]],
    [{ states: null, repository: null }, [4, 3, 2, 1, 0]],
    [{ states: ['COMPLETE'] }, [0]],
    [{ states: ['COMPLETE', 'FAILED'] }, [1, 0]],
    [{ states: [] }, []],
    [{ repository: B }, [3, 2]],
    [{ ref: 'main' }, [3, 0]],
    [{ ref: COMMIT }, [0]],
    [{ ref: COMMIT.slice(0, 12) }, []],
    [{ packageManagers: ['NPM'] }, [2, 1]],
    [{ packageManagers: ['PIP', 'NPM'] }, [1]],
    [{ packageManagers: [] }, [4, 3, 2, 1, 0]],
    [{ project: 'apps' }, [2, 1]],
    [{ project: 'nope' }, []],
    [{ user: 'ada' }, [1, 0]],
    [{ user: 'nobody' }, []],
    [{ createdFrom: '2026-01-04T00:00:00Z' }, [4, 3]],
    [{ createdTo: '2026-01-02T00:00:00Z' }, [0]],
    [{ createdFrom: '2026-01-02', createdTo: '2026-01-04T01:00:00+01:00' }, [2, 1]],
    [{ repository: B, packageManagers: ['NPM'], states: ['IN_PROGRESS'], user: 'admin' }, [2]],
    [{ repository: B, user: 'ada' }, []],
  ])('%j', async (filter, expected) => {
    const page = await list({ filter });
    expect(page.numbers).toEqual(expected.map((index) => numbers[index]));
    expect(page.totalCount).toBe(expected.length);
  });

  test.each(['yesterday', '2026', '2026-13-01', '01.02.2026', 5])('%j is no time', async (createdFrom) => {
    const { status, errors } = await gateway.graphql(LIST, { filter: { createdFrom } });
    expect(status).toBe(400);
    expect(errors[0]!.message).toContain(`${JSON.stringify(createdFrom)} is not a time as in ISO 8601`);
  });
});

describe('Permissions', () => {
  test.each<[Caller, number[]]>([
    ['ada', [4, 3, 2, 1, 0]],
    ['reader', [4, 3, 2, 1, 0]],
    ['bob', [4, 3, 2, 1, 0]],
    ['eve', [4, 3, 0]],
  ])('%s sees', async (as, expected) => {
    const page = await list({}, as);
    expect(page.numbers).toEqual(expected.map((index) => numbers[index]));
    expect(page.totalCount).toBe(expected.length);
  });

  test('everybody who is logged in sees requests of a public project', async () => {
    const { sql } = gateway.stack.database;
    await sql.query("update projects set visibility = 'public' where name = 'apps'");
    const { totalCount } = await list({}, 'eve');
    await sql.query("update projects set visibility = 'private' where name = 'apps'");
    expect(totalCount).toBe(5);
  });
});

describe('Pages', () => {
  const of = (...indices: number[]) => indices.map((index) => numbers[index]);

  test('go forwards', async () => {
    const first = await list({ first: 2 });
    expect(first).toMatchObject({ numbers: of(4, 3), more: [false, true], totalCount: 5 });
    const second = await list({ first: 2, after: first.end });
    expect(second).toMatchObject({ numbers: of(2, 1), more: [true, true], totalCount: 5 });
    const third = await list({ first: 2, after: second.end });
    expect(third).toMatchObject({ numbers: of(0), more: [true, false] });
    const beyond = await list({ first: 2, after: third.end });
    expect(beyond).toMatchObject({ numbers: [], more: [true, false], totalCount: 5, end: third.end });
  });

  test('go backwards', async () => {
    const last = await list({ last: 2 });
    expect(last).toMatchObject({ numbers: of(1, 0), more: [true, false] });
    const before = await list({ last: 2, before: last.start });
    expect(before).toMatchObject({ numbers: of(3, 2), more: [true, true] });
    expect(await list({ last: 2, before: before.start })).toMatchObject({
      numbers: of(4),
      more: [false, true],
    });
  });

  test('are filtered pages of what matches', async () => {
    const filter = { packageManagers: ['NPM'] };
    const first = await list({ first: 1, filter });
    expect(first).toMatchObject({ numbers: of(2), more: [false, true], totalCount: 2 });
    expect(await list({ first: 1, after: first.end, filter })).toMatchObject({
      numbers: of(1),
      totalCount: 2,
    });
  });

  test('have 20 rows unless said otherwise, and 100 at most', async () => {
    await Promise.all(
      Array.from({ length: 101 }, () => submitAs('bob', { repository: 'https://many.example/' })),
    );
    const filter = { repository: 'https://many.example/' };
    expect((await list({ filter })).numbers).toHaveLength(20);
    expect(await list({ filter, first: 1_000 })).toMatchObject({ totalCount: 101, more: [false, true] });
    expect((await list({ filter, first: 1_000 })).numbers).toHaveLength(100);
    expect(await list({ filter, first: 0 })).toMatchObject({ numbers: [], totalCount: 101 });
  });

  test('stay as they are while requests are added', async () => {
    const seen: number[] = [];
    const filter = { repository: A };
    let page = await list({ first: 1, filter });
    for (;;) {
      seen.push(...page.numbers);
      await submitAs('bob');
      if (!page.more[1]) break;
      page = await list({ first: 1, after: page.end, filter });
    }
    expect(seen).toEqual(of(4, 1, 0));
    const newer = await list({
      last: 100,
      before: Buffer.from(`id:${seen[0]}`).toString('base64url'),
      filter,
    });
    expect(newer.numbers).toHaveLength(seen.length);
  });

  const cursor = (text: string): string => Buffer.from(text).toString('base64url');
  test.each([
    [{ first: -1 }, 'Argument "first" must be a non-negative integer'],
    [{ last: -1 }, 'Argument "last" must be a non-negative integer'],
    [{ first: 1, last: 1 }, 'Give either "first" or "last"'],
    ...[
      '',
      'garbage',
      cursor('id:'),
      cursor('id:-1'),
      cursor('id:1.5'),
      cursor('id:1e3'),
      cursor('at:1'),
    ].map((text): [object, string] => [{ after: text }, `"${text}" is not a cursor of this list`]),
    [
      { before: cursor(`id:${'9'.repeat(16)}`) },
      `"${cursor(`id:${'9'.repeat(16)}`)}" is not a cursor of this list`,
    ],
  ])('refuse %j', async (variables, message) => {
    const { status, data, errors } = await gateway.graphql(LIST, { ...variables });
    expect([status, data]).toEqual([200, null]);
    expect(errors).toEqual([
      {
        message,
        path: ['list'],
        locations: expect.any(Array),
        extensions: expect.objectContaining({ code: 'invalid-input' }),
      },
    ]);
  });
});
