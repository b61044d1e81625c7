import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const NAMES = readdirSync(join(import.meta.dirname, '../../../migrations'));

test('each migration has a number of its own, so that their order is the one in which they were written', () => {
  const numbers = NAMES.map((name) => /^(\d{4})-[a-z-]+\.sql$/.exec(name)?.[1]);
  expect(numbers).not.toContain(undefined);
  expect(new Set(numbers).size).toBe(NAMES.length);
});
