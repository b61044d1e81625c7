import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  descriptor,
  OCI_EMPTY,
  OCI_INDEX,
  OCI_MANIFEST,
  sha256,
  sha512,
} from '../../../support/registry-stack.ts';
import { SETUPS, SuiteClient } from './suite-client.ts';

const TAGS = ['1.10', '1.9', 'Latest', '_x', 'a', 'a-b', 'a.b'];
const ONE = 'application/vnd.example.one';
const TWO = 'application/vnd.example.two';
const SUBJECT = index({ of: 'discovery' });

function index(annotations: object, more: object = {}): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations, ...more });
}

function artifact(subject: object, more: object): string {
  const config = descriptor('{}', OCI_EMPTY);
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config,
    layers: [config],
    subject,
    ...more,
  });
}

describe.each(SETUPS)('content discovery, $title', (setup) => {
  let client: SuiteClient;

  beforeAll(async () => {
    client = await SuiteClient.start(setup);
    await client.blob('{}', sha256('{}'));
    for (const tag of TAGS) expect((await client.manifest(tag, SUBJECT)).status).toBe(201);
  });
  afterAll(() => client.close());

  const list = (query: string) => client.call('GET', client.at(`tags/list${query}`));

  test.each<[string, string[], string | null]>([
    ['', TAGS, null],
    [`?n=${TAGS.length}`, TAGS, null],
    ['?n=3', TAGS.slice(0, 3), 'n=3&last=Latest'],
    ['?n=0', [], null],
    ['?last=a', TAGS.slice(5), null],
    ['?n=1&last=Latest', ['_x'], 'n=1&last=_x'],
    ['?last=a.b', [], null],
  ])('tags%s', async (query, tags, next) => {
    const answer = await list(query);
    expect([answer.status, answer.json()]).toEqual([200, { name: setup.name, tags }]);
    const link = next === null ? null : `<${client.at(`tags/list?${next}`)}>; rel="next"`;
    expect(answer.headers.get('link')).toBe(link);
  });

  test('where there is nothing', async () => {
    expect((await client.call('GET', client.at('tags/list', setup.otherName))).codes()).toEqual([
      'NAME_UNKNOWN',
    ]);
    const answer = await client.call('GET', client.at(`referrers/${sha256('x')}`, setup.otherName));
    expectIndex(answer, []);
    expect((await client.call('GET', client.at('referrers/sha256:totallywrong'))).codes()).toEqual([
      'DIGEST_INVALID',
    ]);
  });

  test.each([
    ['what is here', sha256, true],
    ['what was never pushed', sha256, false],
    ['what was never pushed, by sha512', sha512, false],
  ])('referrers of %s', async (what, digestOf, isHere) => {
    const text = index({ of: what });
    const subject = { mediaType: OCI_INDEX, digest: digestOf(text), size: text.length };
    if (isHere) expect((await client.manifest(subject.digest, text)).status).toBe(201);
    const path = client.at(`referrers/${subject.digest}`);
    expectIndex(await client.call('GET', path), []);

    const referrers = [
      { text: artifact(subject, { artifactType: ONE, annotations: { n: '1' } }), artifactType: ONE },
      { text: artifact(subject, { annotations: { n: '2' } }), artifactType: OCI_EMPTY },
      { text: index({ n: '3' }, { subject, artifactType: TWO }), artifactType: TWO },
      { text: index({ n: '4' }, { subject }) },
    ];
    for (const { text: referrer } of referrers) {
      const answer = await client.manifest(sha256(referrer), referrer);
      expect([answer.status, answer.headers.get('oci-subject')]).toEqual([201, subject.digest]);
    }
    const expected = referrers
      .map(({ text: referrer, artifactType }) => ({
        mediaType: JSON.parse(referrer).mediaType,
        digest: sha256(referrer),
        size: Buffer.byteLength(referrer),
        ...(artifactType && { artifactType }),
        annotations: JSON.parse(referrer).annotations,
      }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
    expectIndex(await client.call('GET', path), expected);

    const filtered = await client.call('GET', `${path}?artifactType=${encodeURIComponent(TWO)}`);
    expectIndex(
      filtered,
      expected.filter(({ artifactType }) => artifactType === TWO),
    );
    expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType');

    const paged: object[] = [];
    for (let next: string | undefined = `${path}?n=3`; next; ) {
      const page = await client.call('GET', next);
      paged.push(...page.json().manifests);
      next = /^<(.+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
    }
    expect(paged).toEqual(expected);
  });

  function expectIndex(answer: Awaited<ReturnType<SuiteClient['call']>>, manifests: object[]): void {
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, OCI_INDEX]);
    expect(answer.json()).toEqual({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  }
});
