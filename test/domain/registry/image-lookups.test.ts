import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { ImageLookups } from '../../../src/domain/registry/image-lookups.ts';

/** Statements that wait until the test answers them; the snapshot is told at once. */
class SlowDatabase {
  snapshot = '1:1:';
  /** How often it was asked for the snapshot. */
  asked = 0;
  readonly statements: { paths: string[]; answer: () => void; fail: (error: Error) => void }[] = [];

  readonly pool = {
    query: ({ name, values }: { name: string; values: unknown[] }) => {
      const { snapshot } = this;
      if (name === 'current-snapshot') {
        this.asked += 1;
        return Promise.resolve({ rows: [{ snapshot }] });
      }
      const isMany = name === 'resolve-images';
      const paths = (isMany ? values[5] : values.filter((_, index) => index % 9 === 5)) as string[];
      const { promise, resolve, reject } = Promise.withResolvers<{ rows: object[] }>();
      const rows = paths.map((category) => ({ category, manifestId: null, blobDigest: null, snapshot }));
      this.statements.push({ paths, answer: () => resolve({ rows }), fail: reject });
      return promise;
    },
  };
}

function start() {
  const database = new SlowDatabase();
  const lookups = new ImageLookups(database as unknown as Database);
  const find = async (path: string): Promise<string | null> => {
    const place = { project: 'p', isByName: false, repository: 'r', path };
    const question = { userId: 1, tokenId: null, ...place, tag: null, manifest: null, blob: null };
    return (await lookups.find(question)).category;
  };
  return { database, statements: database.statements, find };
}

test('questions of one turn go together, each once', async () => {
  const { statements, find } = start();
  const answers = Promise.all(['a', 'b', 'a'].map(find));
  await turn();
  expect(statements.map((statement) => statement.paths)).toEqual([['a', 'b']]);
  statements[0]!.answer();
  expect(await answers).toEqual(['a', 'b', 'a']);
});

test('a question is never answered by a statement that began before it came', async () => {
  const { database, statements, find } = start();
  const first = find('a');
  await turn();
  const second = find('a');
  await turn();
  expect(statements).toHaveLength(2);
  const third = find('a');
  const fourth = find('b');
  await turn();
  // Two are running: what comes now waits for one of them to end, and then goes together.
  expect(statements).toHaveLength(2);
  database.snapshot = '2:2:';
  statements[0]!.answer();
  expect(await first).toBe('a');
  await turn();
  expect(statements.map((statement) => statement.paths)).toEqual([['a'], ['a'], ['a', 'b']]);
  statements[1]!.answer();
  statements[2]!.answer();
  expect(await Promise.all([second, third, fourth])).toEqual(['a', 'a', 'b']);
});

test('a statement that fails is told to those who wait for it, and to nobody else', async () => {
  const { statements, find } = start();
  const lost = [find('a'), find('b')];
  await turn();
  statements[0]!.fail(new Error('connection lost'));
  const outcomes = await Promise.allSettled(lost);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
  const next = find('a');
  await turn();
  statements[1]!.answer();
  expect(await next).toBe('a');
});

test('an answer is given again as long as nothing was committed since it was made', async () => {
  const { database, statements, find } = start();
  const first = find('a');
  await turn();
  statements[0]!.answer();
  expect(await first).toBe('a');

  expect(await find('a')).toBe('a');
  const mixed = Promise.all([find('a'), find('b')]);
  await turn();
  expect(statements.map((statement) => statement.paths)).toEqual([['a'], ['b']]);
  statements[1]!.answer();
  expect(await mixed).toEqual(['a', 'b']);

  database.snapshot = '2:2:';
  const later = find('a');
  await turn();
  expect(statements.map((statement) => statement.paths)).toEqual([['a'], ['b'], ['a']]);
  statements[2]!.answer();
  expect(await later).toBe('a');
});

test('many questions go together, too', async () => {
  const { statements, find } = start();
  const paths = ['a', 'b', 'c', 'd', 'e'];
  const answers = Promise.all(paths.map(find));
  await turn();
  expect(statements.map((statement) => statement.paths)).toEqual([paths]);
  statements[0]!.answer();
  expect(await answers).toEqual(paths);
});

test('while others write all the time, kept answers are hardly asked about', async () => {
  const { database, statements, find } = start();
  const count = async (times: number, isWritten: boolean): Promise<number> => {
    const { asked } = database;
    for (let n = 0; n < times; n += 1) {
      if (isWritten) database.snapshot = `${statements.length}:${n}:`;
      const found = find('a');
      await turn();
      statements.at(-1)!.answer();
      expect(await found).toBe('a');
    }
    return database.asked - asked;
  };
  expect(await count(1, true)).toBe(0);
  // Between two of them 0, 1, 2, 3, ... statements, and 7 in the end.
  expect(await count(36, true)).toBe(8);
  expect(await count(16, true)).toBe(2);
  // Soon after the last write they are given again.
  const before = statements.length;
  expect(await count(20, false)).toBeGreaterThanOrEqual(12);
  expect(statements.length - before).toBeLessThanOrEqual(8);
});
