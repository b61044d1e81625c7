import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import type { SbomComponent } from '../../../src/domain/bundles/sbom-component.ts';
import { insertComponents } from '../../../src/domain/database/sql/insert-dictionaries.ts';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { processorMs } from '../../support/processor-time.ts';

const OPEN = [
  'pkg:npm/lodash@4.17.19',
  'pkg:npm/lodash@4.17.20',
  'pkg:npm/lodash@4.17.21-rc.1',
  'pkg:npm/lodash@4.17.21',
  'pkg:npm/lodash@5.0.0-beta.1',
  'pkg:npm/lodash@1.0.0?vcs_url=git%2Bhttps://git.example/lodash.git',
  'pkg:npm/lodash@not-a-version',
  'pkg:npm/lodash',
  'pkg:npm/%40angular/core@17.0.0',
  'pkg:pypi/django@1.11',
  'pkg:pypi/django@2.0rc1',
  'pkg:pypi/django@2.0',
  'pkg:pypi/django@2.2.post1',
  'pkg:pypi/django@3.0a1',
  'pkg:pypi/django@3.0',
  'pkg:pypi/ruamel-yaml@0.18.6',
  'pkg:golang/golang.org/x/net@v0.9.0',
  'pkg:golang/golang.org/x/net@v0.10.0',
  'pkg:golang/golang.org/x/net@v0.10.0#html',
  'pkg:golang/github.com/docker/docker@v24.0.0%2Bincompatible',
  'pkg:golang/golang.org/x/net@v0.0.0-20240102030405-0123456789ab',
  'pkg:generic/lodash@1.0.0',
];
const SECRET = 'pkg:npm/secret-sauce@1.0.0';

let gateway: TestGateway;
let open: number;
let later: number;
let hidden: number;

const holding = async (
  purls: readonly string[],
  submitter: string,
  projectName: string | null,
): Promise<number> => {
  const { database, settings } = gateway.stack;
  const { id } = await submitRequest(database, settings, await gateway.principal(submitter), {
    repository: 'https://git.example/a.git',
    packageManagers: [],
    projectName,
  });
  await database.transaction(async ({ sql }) => {
    // One by one: they are listed in the order of their ids.
    for (const purl of purls) await insertComponents(sql, [{ purl, version: null } as SbomComponent]);
    await sql.query(
      `insert into request_components (component_id, request_id, is_source_package)
       select id, $1, false from components where purl = any($2)`,
      [id, purls],
    );
  });
  return id;
};

beforeAll(async () => {
  gateway = await TestGateway.start();
  open = await holding(OPEN, 'ada', null);
  hidden = await holding([SECRET, 'pkg:npm/lodash@4.17.20'], 'admin', 'apps');
  later = await holding(['pkg:npm/lodash@4.17.20'], 'eve', null);
});
afterAll(async () => {
  await gateway?.close();
});

const SEARCH = `query ($purl: String, $type: String, $name: String, $version: String, $range: String, $first: Int, $after: String) {
  components(purl: $purl, type: $type, name: $name, version: $version, range: $range, first: $first, after: $after) {
    pageInfo { endCursor hasNextPage }
    nodes { purl type name version requests { nodes { number } } }
  }
}`;
const search = async (variables: object, as: Caller = 'ada') =>
  (await gateway.data(SEARCH, { ...variables }, as)).components;
const purls = async (variables: object, as: Caller = 'ada'): Promise<string[]> =>
  (await search(variables, as)).nodes.map(({ purl }: { purl: string }) => purl);

describe('Components are found', () => {
  const lodash = OPEN.slice(0, 8);
  const django = OPEN.slice(9, 15);
  test.each<[object, string[]]>([
    [{ purl: 'pkg:npm/lodash' }, lodash],
    [{ purl: 'pkg:npm/lodash@4.17.20' }, ['pkg:npm/lodash@4.17.20']],
    [{ purl: 'pkg:npm/lodash@9' }, []],
    [{ purl: 'pkg:npm/lodash', version: '4.17.20' }, ['pkg:npm/lodash@4.17.20']],
    [{ purl: OPEN[5]! }, [OPEN[5]!]],
    [{ purl: 'pkg:npm/lodash@1.0.0?vcs_url=git%2Bhttps://other.example/lodash.git' }, []],
    [{ purl: 'pkg:npm/%40angular/core' }, ['pkg:npm/%40angular/core@17.0.0']],
    [{ purl: 'pkg:npm/@angular/core@17.0.0' }, ['pkg:npm/%40angular/core@17.0.0']],
    [{ purl: 'pkg:golang/golang.org/x/net@v0.10.0#html' }, ['pkg:golang/golang.org/x/net@v0.10.0#html']],
    [
      { purl: 'pkg:golang/golang.org/x/net@v0.10.0' },
      ['pkg:golang/golang.org/x/net@v0.10.0', 'pkg:golang/golang.org/x/net@v0.10.0#html'],
    ],
    [{ name: 'lodash' }, [...lodash, 'pkg:generic/lodash@1.0.0']],
    [{ name: 'lodash', type: 'generic' }, ['pkg:generic/lodash@1.0.0']],
    [{ name: '@angular/core' }, ['pkg:npm/%40angular/core@17.0.0']],
    [{ name: 'lodash', version: '1.0.0' }, [OPEN[5]!, 'pkg:generic/lodash@1.0.0']],
    [{ type: 'pypi' }, OPEN.slice(9, 16)],
    [{ type: 'PIP' }, OPEN.slice(9, 16)],
    [{ type: 'gomod', name: 'golang.org/x/net', version: 'v0.9.0' }, ['pkg:golang/golang.org/x/net@v0.9.0']],
    [{ type: 'yarn', name: '@angular/core' }, ['pkg:npm/%40angular/core@17.0.0']],
    [{ type: 'rubygems' }, []],
    // PEP 503: names of Python are compared as they are normalised.
    [{ type: 'pip', name: 'Ruamel.YAML' }, ['pkg:pypi/ruamel-yaml@0.18.6']],
    [{ purl: 'pkg:pypi/Django' }, django],
    [{ name: 'LODASH' }, []],
    [{}, OPEN.concat(SECRET)],
  ])('%j', async (query, expected) => {
    expect((await purls(query)).sort()).toEqual([...expected].sort());
  });
});

describe('Ranges', () => {
  const npm = { purl: 'pkg:npm/lodash' };
  const pypi = { purl: 'pkg:pypi/django' };
  const go = { purl: 'pkg:golang/golang.org/x/net' };
  test.each<[object, string, string[]]>([
    [npm, '<4.17.21', ['4.17.19', '4.17.20', '4.17.21-rc.1', '1.0.0']],
    [npm, ' <4.17.21 ', ['4.17.19', '4.17.20', '4.17.21-rc.1', '1.0.0']],
    [npm, '>=4.17.20 <4.17.21', ['4.17.20', '4.17.21-rc.1']],
    [npm, '>=4.17.20, <5', ['4.17.20', '4.17.21-rc.1', '4.17.21']],
    [npm, '^4.17.20', ['4.17.20', '4.17.21-rc.1', '4.17.21']],
    [npm, '4.17.19 || 4.17.21', ['4.17.19', '4.17.21']],
    [npm, '4.17.20', ['4.17.20']],
    [npm, '*', ['4.17.19', '4.17.20', '4.17.21-rc.1', '4.17.21', '5.0.0-beta.1', '1.0.0']],
    [npm, '>5', []],
    [pypi, '>=2,<3', ['2.0', '2.2.post1']],
    [pypi, '>=2 <3', ['2.0', '2.2.post1']],
    [pypi, '>= 2.0rc1 , < 2.1', ['2.0rc1', '2.0']],
    [pypi, '<=3.0a1', ['1.11', '2.0rc1', '2.0', '2.2.post1', '3.0a1']],
    [pypi, '==2.*', ['2.0rc1', '2.0', '2.2.post1']],
    [pypi, '~=2.0', ['2.0', '2.2.post1']],
    [pypi, '!=2.0', ['1.11', '2.0rc1', '2.2.post1', '3.0a1', '3.0']],
    [go, '<0.10.0', ['v0.9.0', 'v0.0.0-20240102030405-0123456789ab']],
    [go, '<v0.10.0', ['v0.9.0', 'v0.0.0-20240102030405-0123456789ab']],
    [go, '>=v0.9.0 <v1', ['v0.9.0', 'v0.10.0', 'v0.10.0']],
    [{ type: 'gomod', name: 'github.com/docker/docker' }, '>=24', ['v24.0.0+incompatible']],
    [{ type: 'npm', name: 'lodash' }, '<2', ['1.0.0']],
    [{ name: 'lodash' }, '<2', ['1.0.0']],
    [{ name: 'django' }, '<2.0', ['1.11']],
  ])('%j %s', async (query, range, expected) => {
    const { nodes } = await search({ ...query, range });
    expect(nodes.map(({ version }: { version: string }) => version)).toEqual(expected);
  });

  test('are paged like everything else', async () => {
    const query = { purl: 'pkg:npm/lodash', range: '<4.17.21', first: 3 };
    const first = await search(query);
    expect(first.nodes.map(({ version }: { version: string }) => version)).toEqual([
      '4.17.19',
      '4.17.20',
      '4.17.21-rc.1',
    ]);
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = await search({ ...query, after: first.pageInfo.endCursor });
    expect(second.nodes.map(({ version }: { version: string }) => version)).toEqual(['1.0.0']);
    expect(second.pageInfo.hasNextPage).toBe(false);
  });
});

describe('A component', () => {
  test('names its parts and its requests, newest first', async () => {
    expect((await search({ purl: 'pkg:npm/lodash@4.17.20' }, 'ada')).nodes).toEqual([
      {
        purl: 'pkg:npm/lodash@4.17.20',
        type: 'npm',
        name: 'lodash',
        version: '4.17.20',
        requests: { nodes: [{ number: later }, { number: hidden }, { number: open }] },
      },
    ]);
  });

  test('shows only requests that the caller may see', async () => {
    const { nodes } = await search({ purl: 'pkg:npm/lodash@4.17.20' }, 'eve');
    expect(nodes[0].requests.nodes).toEqual([{ number: later }, { number: open }]);
  });

  test.each<[Caller, number]>([
    ['admin', 1],
    ['ada', 1],
    ['bob', 1],
    ['eve', 0],
  ])('of a private project is seen by %s: %i', async (as, count) => {
    expect(await purls({ name: 'secret-sauce' }, as)).toHaveLength(count);
    expect(await purls({ purl: 'pkg:npm/secret-sauce', range: '*' }, as)).toHaveLength(count);
  });

  test('has pages of requests', async () => {
    const { components } = await gateway.data(`{ components(purl: "pkg:npm/lodash@4.17.20") { nodes {
      requests(first: 1) { pageInfo { hasNextPage endCursor } nodes { number } }
      last: requests(last: 1) { nodes { number } } } } }`);
    const [{ requests, last }] = components.nodes;
    expect([requests.nodes, last.nodes]).toEqual([[{ number: later }], [{ number: open }]]);
    expect(requests.pageInfo.hasNextPage).toBe(true);
  });
});

describe('What is refused', () => {
  test.each<[object, string]>([
    [{ purl: 'lodash' }, '"lodash" is not a package URL'],
    [{ purl: '' }, '"" is not a package URL'],
    [{ purl: 'pkg:npm' }, '"pkg:npm" is not a package URL'],
    [{ purl: 'pkg:npm/%zz' }, '"pkg:npm/%zz" is not a package URL'],
    [{ purl: 'pkg:npm/lodash', type: 'pypi' }, 'The purl has the type "npm", not "pypi"'],
    [{ purl: 'pkg:npm/lodash', name: 'react' }, 'The purl has the name "lodash", not "react"'],
    [{ purl: 'pkg:npm/lodash@1', version: '2' }, 'The purl has the version "1", not "2"'],
    [{ purl: 'pkg:npm/lodash@1', range: '<2' }, 'Give either a version or a range'],
    [{ name: 'lodash', version: '1', range: '<2' }, 'Give either a version or a range'],
    [{ range: '<2' }, 'A range needs the name of a component, or its purl'],
    [{ type: 'npm', range: '<2' }, 'A range needs the name of a component, or its purl'],
    ...['', ' ', 'latest', '<<2', '>=1 <', '; drop table'].map((range): [object, string] => [
      { purl: 'pkg:npm/lodash', range },
      `"${range}" is not a version range`,
    ]),
    [{ purl: 'pkg:pypi/django', range: '^2' }, '"^2" is not a version range'],
    [{ purl: 'pkg:generic/lodash', range: '<2' }, 'Versions of the type "generic" have no ranges'],
    [{ purl: 'pkg:npm/lodash', first: -1 }, 'Argument "first" must be a non-negative integer'],
    [{ purl: 'pkg:npm/lodash', after: 'x' }, '"x" is not a cursor of this list'],
  ])('%j', async (variables, message) => {
    const { data, errors } = await gateway.graphql(SEARCH, { ...variables });
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ message, extensions: { code: 'invalid-input' } }]);
  });

  test('long ranges and names take no time', async () => {
    const milliseconds = await processorMs(async () => {
      const { errors } = await gateway.graphql(SEARCH, {
        purl: 'pkg:npm/lodash',
        range: '<1 '.repeat(100_000),
      });
      expect(errors).toMatchObject([{ extensions: { code: 'invalid-input' } }]);
      expect(await purls({ name: 'a'.repeat(500_000) })).toEqual([]);
    });
    expect(milliseconds).toBeLessThan(5_000);
  });

  test('lists backwards', async () => {
    const { errors } = await gateway.graphql('{ components(last: 1) { nodes { purl } } }');
    expect(errors).toMatchObject([
      {
        message: 'Components are listed forwards only: use first and after',
        extensions: { code: 'invalid-input' },
      },
    ]);
  });

  test('callers who are not logged in or may not read', async () => {
    expect((await gateway.graphql(SEARCH, {}, 'anonymous')).errors).toMatchObject([
      { message: 'Log in to do this', extensions: { code: 'unauthenticated' } },
    ]);
    expect((await gateway.graphql(SEARCH, {}, 'writer')).errors).toMatchObject([
      { message: 'This token does not have the scope "read"', extensions: { code: 'forbidden' } },
    ]);
  });
});
