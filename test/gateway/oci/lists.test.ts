import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  RegistryStack,
  sha256,
  type User,
} from '../../support/registry-stack.ts';

let stack: RegistryStack;
const NAME = 'apps/images/lists';
const TAGS = ['10', '9', 'A', 'Z', '_', 'a', 'a-b', 'a.b', 'v1', 'v1.0', 'v2'];

beforeAll(async () => {
  stack = await RegistryStack.start();
  const { text } = await stack.pushImage(NAME, 'a');
  for (const tag of TAGS.toReversed()) await stack.putManifest(NAME, tag, text);
});
afterAll(() => stack.close());

const list = (query = '', name = NAME) => stack.call('GET', `/v2/${name}/tags/list${query}`);

describe('tags', () => {
  test('by code point', async () => {
    const answer = await list();
    expect(answer.json()).toEqual({ name: NAME, tags: TAGS });
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('link')).toBe(null);
    const head = await stack.call('HEAD', `/v2/${NAME}/tags/list`);
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(answer.body.length)]);
  });

  test.each([
    ['?n=3', TAGS.slice(0, 3), 'n=3&last=A'],
    ['?n=11', TAGS, null],
    ['?n=100', TAGS, null],
    ['?n=0', [], null],
    ['?n=999999999999999', TAGS, null],
    ['?n=99999999999999999999', TAGS, null],
    ['?last=a.b', TAGS.slice(8), null],
    ['?last=a.a', TAGS.slice(7), null],
    ['?last=zzz', [], null],
    ['?last=', TAGS, null],
    ['?last=%00', TAGS, null],
    ['?n=2&last=_', ['a', 'a-b'], 'n=2&last=a-b'],
    ['?n=2&last=v1', ['v1.0', 'v2'], null],
  ])('%s', async (query, tags, next) => {
    const answer = await list(query);
    expect([answer.status, answer.json().tags]).toEqual([200, tags]);
    const link = next === null ? null : `</v2/${NAME}/tags/list?${next}>; rel="next"`;
    expect(answer.headers.get('link')).toBe(link);
  });

  test('following the links reads everything', async () => {
    const read: string[] = [];
    let path: string | undefined = `/docker/v2/${NAME}/tags/list?n=4`;
    while (path) {
      const answer = await stack.call('GET', path);
      read.push(...answer.json().tags);
      path = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
      if (path) expect(path.startsWith('/docker/v2/')).toBe(true);
    }
    expect(read).toEqual(TAGS);
  });

  test.each(['?n=x', '?n=-1', '?n=1.5', '?n='])('%s is refused', async (query) => {
    const answer = await list(query);
    expect([answer.status, answer.codes()]).toEqual([400, ['UNSUPPORTED']]);
  });

  test('a tag that was just deleted can still be paged after', async () => {
    const name = 'apps/images/shrinking';
    const { text } = await stack.pushImage(name, 'a');
    for (const tag of ['b', 'c']) await stack.putManifest(name, tag, text);
    await stack.call('DELETE', `/v2/${name}/manifests/b`);
    expect((await list('?last=b', name)).json()).toEqual({ name, tags: ['c'] });
  });

  test.each(['apps/images/unknown', 'apps/unknown/unknown', 'unknown/unknown/unknown'])(
    '%s',
    async (name) => {
      const answer = await list('', name);
      expect([answer.status, answer.codes()]).toEqual([404, ['NAME_UNKNOWN']]);
    },
  );

  test('an image with nothing but a blob is not known yet', async () => {
    await stack.pushBlob('apps/images/begun', 'a blob');
    expect((await list('', 'apps/images/begun')).codes()).toEqual(['NAME_UNKNOWN']);
  });

  test('answers use the name as the client wrote it', async () => {
    expect((await list('?n=1', 'apps/lists')).json()).toEqual({ name: 'apps/lists', tags: ['10'] });
  });
});

describe('a hundred thousand tags', () => {
  const name = 'apps/images/many';

  beforeAll(async () => {
    await stack.pushImage(name, 'first');
    await stack.database.sql.query(
      `insert into tags (image_id, name, manifest_id)
       select m.image_id, 'tag-' || lpad(n::text, 6, '0'), m.id
       from manifests m join images i on i.id = m.image_id, generate_series(1, 100000) n where i.path = $1`,
      [name],
    );
    await stack.database.sql.query('analyze tags');
  });

  test.each(['', '&last=tag-050000', '&last=tag-099999'])('a page is an index read%s', async (last) => {
    const started = performance.now();
    const answer = await list(`?n=100${last}`, name);
    expect(answer.status).toBe(200);
    expect(performance.now() - started).toBeLessThan(1_000);
    const plan = await stack.database.sql.query<{ 'QUERY PLAN': string }>(
      `explain select name from tags where image_id = 1 and name > 'tag-050000' order by name limit 101`,
    );
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/Index (Only )?Scan using tags_pkey/);
  });

  test('all pages together are all tags', async () => {
    let read = 0;
    let last = '';
    for (;;) {
      const { tags } = (await list(`?n=10000&last=${last}`, name)).json();
      if (tags.length === 0) break;
      read += tags.length;
      last = tags.at(-1);
    }
    expect(read).toBe(100_001);
  });
});

describe('the catalogue', () => {
  const catalog = (query = '', as: User = 'ada') => stack.call('GET', `/v2/_catalog${query}`, { as });

  beforeAll(async () => {
    await stack.pushImage('zoo/animals/cat/small', '1', 'cat', 'admin');
    await stack.pushImage('zoo/dog', '1', 'dog', 'admin');
    await stack.pushImage('bird', '1', 'bird', 'admin');
    await stack.database.sql.query(`update projects set visibility = 'public' where name = 'library'`);
  });

  test('everything, by full name, for administrators', async () => {
    const { repositories } = (await catalog('', 'admin')).json();
    expect(repositories).toEqual([...repositories].sort());
    expect(repositories).toEqual(
      expect.arrayContaining([NAME, 'library/images/bird', 'zoo/animals/cat/small', 'zoo/images/dog']),
    );
    expect(repositories).not.toContain('apps/images/begun');
  });

  test.each<[User, string[]]>([
    ['ada', ['apps/images/lists', 'apps/images/many', 'apps/images/shrinking', 'library/images/bird']],
    ['bob', ['apps/images/lists', 'apps/images/many', 'apps/images/shrinking', 'library/images/bird']],
    ['eve', ['library/images/bird']],
  ])('%s sees what she may read', async (user, expected) => {
    expect((await catalog('', user)).json()).toEqual({ repositories: expected });
  });

  test('in pages', async () => {
    const first = await catalog('?n=2');
    expect(first.json().repositories).toEqual(['apps/images/lists', 'apps/images/many']);
    expect(first.headers.get('link')).toBe('</v2/_catalog?n=2&last=apps%2Fimages%2Fmany>; rel="next"');
    const second = await catalog('?n=2&last=apps%2Fimages%2Fmany');
    expect(second.json().repositories).toEqual(['apps/images/shrinking', 'library/images/bird']);
    expect(second.headers.get('link')).toBe(null);
    expect((await catalog('?n=0')).json()).toEqual({ repositories: [] });
    expect((await catalog('?n=-5')).codes()).toEqual(['UNSUPPORTED']);
  });

  test('of one project or repository', async () => {
    const answer = await catalog('?projectId=zoo', 'admin');
    expect(answer.json()).toEqual({ repositories: ['zoo/animals/cat/small', 'zoo/images/dog'] });
    const narrower = await catalog('?projectId=zoo&repoName=animals', 'admin');
    expect(narrower.json()).toEqual({ repositories: ['zoo/animals/cat/small'] });
    const repository = await catalog('?repoName=animals', 'admin');
    expect(repository.json()).toEqual({ repositories: ['zoo/animals/cat/small'] });
    const nothing = await catalog('?projectId=%00&repoName=%00&last=%00', 'admin');
    expect([nothing.status, nothing.json()]).toEqual([200, { repositories: [] }]);
  });

  test('nobody sees it without credentials', async () => {
    const answer = await catalog('', 'anonymous');
    expect([answer.status, answer.codes()]).toEqual([401, ['UNAUTHORIZED']]);
    expect(answer.headers.get('www-authenticate')).toContain('scope="registry:catalog:*"');
  });
});

describe('a hundred thousand images', () => {
  beforeAll(async () => {
    const { sql } = stack.database;
    await stack.pushImage('apps/crowd/first', '1', 'crowd', 'olga');
    await sql.query(
      `insert into images (repository_id, name, path)
       select r.id, 'n' || lpad(n::text, 6, '0'), 'apps/crowd/n' || lpad(n::text, 6, '0')
       from repositories r, generate_series(1, 100000) n where r.name = 'crowd'`,
    );
    await sql.query(
      `insert into manifests (image_id, digest, media_type, size, image_size)
       select i.id, m.digest, m.media_type, m.size, m.image_size
       from images i, manifests m join images f on f.id = m.image_id
       where f.path = 'apps/crowd/first' and i.path like 'apps/crowd/n%'`,
    );
    await sql.query('analyze images');
    await sql.query('analyze manifests');
  });

  test.each<[User, string]>([
    ['admin', ''],
    ['ada', '&last=apps/crowd/n050000'],
    ['ada', '&last=apps/crowd/n099990'],
    ['admin', '&projectId=apps&repoName=crowd'],
  ])('a page for %s%s comes at once', async (as, query) => {
    const read = () => stack.call('GET', `/v2/_catalog?n=100${query}`, { as });
    const durations: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const started = performance.now();
      expect((await read()).json().repositories.length).toBeGreaterThan(10);
      durations.push(performance.now() - started);
    }
    // Far more than it takes, far less than reading all of them would.
    expect(Math.min(...durations)).toBeLessThan(100);
  });
});

describe('referrers', () => {
  const INDEX = 'application/vnd.oci.image.index.v1+json';
  const SBOM = 'application/vnd.example.sbom';
  const name = 'apps/images/subjects';
  const config = '{"config":true}';
  const empty = descriptor('{}', 'application/vnd.oci.empty.v1+json');
  const referrers = (digest: string, query = '') =>
    stack.call('GET', `/v2/${name}/referrers/${digest}${query}`);
  let subject: { digest: string; text: string };

  const refer = async (parts: object, type?: string) => {
    const about = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: subject.digest,
      size: subject.text.length,
    };
    const manifest = { ...imageManifest({ config: empty, subject: about, ...parts }) };
    const text = JSON.stringify(
      type === undefined ? manifest : { ...manifest, config: undefined, layers: undefined },
    );
    const digest = sha256(text);
    const answer = await stack.putManifest(name, digest, text);
    expect([answer.status, answer.headers.get('oci-subject')]).toEqual([201, subject.digest]);
    return { digest, size: text.length };
  };

  beforeAll(async () => {
    subject = await stack.pushImage(name, 'subject');
    for (const bytes of [config, '{}']) await stack.pushBlob(name, bytes);
  });

  const expectIndex = async (digest: string, manifests: object[], query = '') => {
    const answer = await referrers(digest, query);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(INDEX);
    expect(answer.json()).toEqual({ schemaVersion: 2, mediaType: INDEX, manifests });
    return answer;
  };

  test('none', async () => {
    await expectIndex(`sha256:${'1'.repeat(64)}`, []);
    await expectIndex(subject.digest, []);
    const elsewhere = await stack.call('GET', `/v2/apps/images/empty/referrers/${subject.digest}`);
    expect([elsewhere.status, elsewhere.json().manifests]).toEqual([200, []]);
    for (const digest of ['sha256:short', 'latest']) {
      const answer = await referrers(digest);
      expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
    }
  });

  test('images, artifacts and indexes, with types, annotations, a filter, pages, and deletes', async () => {
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const artifact = await refer({
      artifactType: SBOM,
      annotations: { a: '1', 'z\u0000': '\ud800' },
    });
    const byConfig = await refer({ config: descriptor(config, OCI_CONFIG) });
    const bare = await refer({ mediaType: INDEX, manifests: [] }, INDEX);
    const index = await refer({ mediaType: INDEX, manifests: [], artifactType: SBOM }, INDEX);
    const expected = [
      {
        mediaType: type,
        ...artifact,
        artifactType: SBOM,
        annotations: { a: '1', 'z\u0000': '\ud800' },
      },
      { mediaType: type, ...byConfig, artifactType: OCI_CONFIG },
      { mediaType: INDEX, ...bare },
      { mediaType: INDEX, ...index, artifactType: SBOM },
    ].sort((one, other) => (one.digest < other.digest ? -1 : 1));
    const all = await expectIndex(subject.digest, expected);
    expect(all.headers.get('oci-filters-applied')).toBe(null);

    const sboms = expected.filter((one) => 'artifactType' in one && one.artifactType === SBOM);
    const filtered = await expectIndex(subject.digest, sboms, '?artifactType=application%2Fvnd.example.sbom');
    expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType');
    await expectIndex(subject.digest, [], '?artifactType=none');
    await expectIndex(subject.digest, [], '?artifactType=%00&last=%00');

    const first = await expectIndex(subject.digest, expected.slice(0, 3), '?n=3');
    const next = /^<(.+)>; rel="next"$/.exec(first.headers.get('link')!)![1]!;
    expect((await stack.call('GET', next)).json().manifests).toEqual(expected.slice(3));

    await stack.call('DELETE', `/v2/${name}/manifests/${subject.digest}`);
    await expectIndex(subject.digest, expected);
    await stack.call('DELETE', `/v2/${name}/manifests/${artifact.digest}`);
    await expectIndex(
      subject.digest,
      expected.filter((one) => one.digest !== artifact.digest),
    );
  });
});
