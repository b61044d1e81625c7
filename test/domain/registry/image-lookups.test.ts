import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { ImageLookups } from '../../../src/domain/registry/image-lookups.ts';

/** Statements that wait until the test answers them; the snapshot is told at once. */
class SlowDatabase {
  snapshot = '1:1:';
  readonly statements: { paths: string[]; answer: () => void; fail: (error: Error) => void }[] = [];

  readonly pool = {
    query: ({ name, values }: { name: string; values: unknown[][] }) => {
      const { snapshot } = this;
      if (name === 'current-snapshot') return Promise.resolve({ rows: [{ snapshot }] });
      const paths = values[4] as string[];
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
    const place = { project: 'p', repository: 'r', path };
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
