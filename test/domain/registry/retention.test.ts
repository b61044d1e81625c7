import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { InvalidInputError } from '../../../src/domain/errors.ts';
import { type Principal, SYSTEM } from '../../../src/domain/identity/principal.ts';
import {
  type CleanupStrategy,
  rulesOfCleanupStrategy,
} from '../../../src/domain/registry/cleanup-strategy.ts';
import { openRegistry, type Registry } from '../../../src/domain/registry/registry.ts';
import { previewRetention, setRetention } from '../../../src/domain/registry/retention.ts';
import { parseRetentionRules, type RetentionRules } from '../../../src/domain/registry/retention-rules.ts';
import { collect } from '../../support/aged-registry.ts';
import { RegistryStack } from '../../support/registry-stack.ts';

const REPOSITORY = { project: 'apps', name: 'images' };

let stack: RegistryStack;
let registry: Registry;

/** Tag → days since the push, days since the last pull. */
const TAGS: Record<string, [number, number | null]> = {
  'v1.0': [400, 1],
  'v1.1': [40, null],
  nightly: [20, 15],
  'release-2': [300, null],
  latest: [1, 0],
};

beforeAll(async () => {
  stack = await RegistryStack.start();
  const { database, blobs } = stack;
  registry = openRegistry({ settings: readSettings({}), database, blobs });
  for (const name of ['apps/images/web', 'apps/images/tools/lint']) {
    for (const [tag, [pushed, pulled]] of Object.entries(TAGS)) {
      await stack.pushImage(name, tag);
      await database.sql.query(
        `update tags set modified_at = now() - make_interval(days => $3),
           last_pulled_at = now() - make_interval(days => $4)
         where name = $2 and image_id = (select id from images where path = $1)`,
        [name, tag, pushed, pulled],
      );
    }
  }
});
afterAll(async () => {
  await registry.close();
  await stack.close();
});

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

describe('a tag goes when no rule keeps it', () => {
  const all = Object.keys(TAGS);
  test.each<[RetentionRules, string[]]>([
    [{}, []],
    [{ keepTags: ['v.*'] }, []],
    [{ untaggedDays: 1 }, []],
    [{ keepLatest: 2 }, ['v1.0', 'release-2', 'v1.1']],
    [{ keepLatest: 9 }, []],
    [{ keepDays: 30 }, ['v1.0', 'release-2', 'v1.1']],
    [{ keepDays: 30, keepTags: ['release-.*', 'v1'] }, ['v1.0', 'v1.1']],
    [{ keepSince: daysAgo(350) }, ['v1.0']],
    [{ keepPulledDays: 10 }, ['release-2', 'v1.1', 'nightly']],
    [{ keepPulledDays: 10, keepLatest: 2 }, ['release-2', 'v1.1']],
    [{ keepLatest: 1, keepTags: ['.*'] }, []],
    [{ keepLatest: 1, keepTags: ['nomatch'], images: ['.*'] }, all.filter((tag) => tag !== 'latest')],
  ])('%j: %j', async (rules, expected) => {
    const tags = await previewRetention(registry, SYSTEM, REPOSITORY, rules);
    const of = (image: string): string[] =>
      tags.filter((tag) => tag.path === `apps/images/${image}`).map((tag) => tag.tag);
    expect(of('web').sort()).toEqual([...expected].sort());
    expect(of('tools/lint').sort()).toEqual([...expected].sort());
  });

  test('rules may be for some images only', async () => {
    const rules = { keepLatest: 1, images: ['tools/.*'] };
    const tags = await previewRetention(registry, SYSTEM, REPOSITORY, rules);
    expect(new Set(tags.map((tag) => tag.path))).toEqual(new Set(['apps/images/tools/lint']));
    expect(tags[0]).toMatchObject({ tag: 'v1.0', pushedAt: expect.any(Date), pulledAt: expect.any(Date) });
  });
});

test('a pull of a part of a multi-arch image counts for the whole', async () => {
  await stack.database.sql.query(
    `update manifests set last_pulled_at = now() where id = (
       select manifest_id from tags t join images i on i.id = t.image_id
       where t.name = 'release-2' and i.path = 'apps/images/web')`,
  );
  const tags = await previewRetention(registry, SYSTEM, REPOSITORY, { keepPulledDays: 10, images: ['web'] });
  expect(tags.map((tag) => tag.tag)).toEqual(['v1.1', 'nightly']);
});

test.each<[unknown, string]>([
  [[], 'Retention rules are an object'],
  ['keepDays', 'Retention rules are an object'],
  [{ keepWeeks: 1 }, '"keepWeeks" is not a retention rule'],
  [{ __proto__: null, constructor: 1 }, '"constructor" is not a retention rule'],
  [{ keepLatest: 0 }, 'keepLatest is a whole number from 1 to 1000000'],
  [{ keepDays: 1.5 }, 'keepDays is a whole number from 1 to 36500'],
  [{ keepPulledDays: '3' }, 'keepPulledDays is a whole number from 1 to 36500'],
  [{ keepSince: 'yesterday' }, 'keepSince is a date like 2024-05-31T12:00:00Z'],
  [{ keepTags: 'v.*' }, 'keepTags is a list of at most 100 regular expressions of at most 256 characters'],
  [{ keepTags: ['a\0'] }, 'keepTags is a list of at most 100 regular expressions of at most 256 characters'],
  [
    { images: ['x'.repeat(257)] },
    'images is a list of at most 100 regular expressions of at most 256 characters',
  ],
  [{ keepTags: ['(', 'v'] }, '"(" is not a regular expression'],
  [{ orphans: 'maybe' }, 'orphans is "remove" or "keep"'],
])('%j is refused', async (rules, message) => {
  await expect(setRetention(registry, SYSTEM, REPOSITORY, rules)).rejects.toMatchObject({
    code: 'invalid-input',
    message,
  });
});

test.each<[CleanupStrategy, RetentionRules | null]>([
  [{}, null],
  [{ enable: false, cleanupType: 'retentionDays', cleanupValue: '30' }, null],
  [
    { enable: true, cleanupType: 'retentionDays', cleanupValue: '30' },
    { images: [], keepDays: 30 },
  ],
  [
    {
      enable: true,
      cleanupType: 'retentionNums',
      cleanupValue: 5,
      cleanTargets: ['docker://web', 'tools/.*'],
    },
    { images: ['web', 'tools/.*'], keepLatest: 5 },
  ],
  [
    { enable: true, cleanupType: 'retentionDate', cleanupValue: '2024-05-31T12:00:00+02:00' },
    { images: [], keepSince: '2024-05-31T10:00:00.000Z' },
  ],
])("bk-repo's %j is %j", (strategy, rules) => {
  expect(rulesOfCleanupStrategy(strategy)).toEqual(rules);
});

test.each([
  { enable: true, cleanupType: 'retentionMoons', cleanupValue: '3' },
  { enable: true, cleanupType: 'retentionDays', cleanupValue: 'three' },
  { enable: true, cleanupType: 'retentionNums' },
  { enable: true, cleanupType: 'retentionDate', cleanupValue: 30 },
  { enable: true, cleanupType: 'retentionDate', cleanupValue: '2024-05-31 or so' },
  { enable: true, cleanupType: 'retentionDays', cleanupValue: null },
  { enable: true, cleanupType: 'retentionDays', cleanupValue: 1, cleanTargets: 'php' },
  { enable: 'false', cleanupType: 'retentionDays', cleanupValue: 1 },
])("bk-repo's %j is refused", (strategy) => {
  expect(() => rulesOfCleanupStrategy(strategy as CleanupStrategy)).toThrow(InvalidInputError);
});

test('a date without a zone is in UTC, wherever the server is', () => {
  const zone = process.env.TZ;
  process.env.TZ = 'Asia/Shanghai';
  try {
    for (const keepSince of ['2024-05-31T12:00:00', '2024-05-31 12:00', '2024-05-31T20:00:00.000+08:00']) {
      expect(parseRetentionRules({ keepSince })).toEqual({ keepSince: '2024-05-31T12:00:00.000Z' });
    }
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

test('rules that are absent or null are left out', () => {
  expect(parseRetentionRules({ keepDays: null, keepLatest: 3 })).toEqual({ keepLatest: 3 });
});

test('only owners and administrators may set rules', async () => {
  const [row] = await stack.database.sql.query<{ id: number }>(`select id from users where name = 'ada'`);
  const ada: Principal = { ...SYSTEM, name: 'ada', userId: row!.id, isAdmin: false };
  await expect(setRetention(registry, ada, REPOSITORY, { keepLatest: 1 })).rejects.toMatchObject({
    code: 'registry-denied',
  });
});

test('the collector applies the rules; a tag that is pushed meanwhile stays', async () => {
  await setRetention(registry, SYSTEM, REPOSITORY, { keepDays: 30, images: ['web'] });
  await stack.pushImage('apps/images/web', 'v1.0', 'pushed again');
  expect((await collect(stack)).retiredTags).toEqual({ items: 2, bytes: 0 });
  const tags = async (name: string) => (await stack.call('GET', `/v2/${name}/tags/list`)).json().tags;
  expect(await tags('apps/images/web')).toEqual(['latest', 'nightly', 'v1.0']);
  expect(await tags('apps/images/tools/lint')).toHaveLength(5);
  await setRetention(registry, SYSTEM, REPOSITORY, null);
  expect(await collect(stack)).not.toHaveProperty('retiredTags');
});
