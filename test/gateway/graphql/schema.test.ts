import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { printedSchema } from '../../../src/gateway/graphql/print-schema.ts';

test('schema/schema.graphql is what the gateway serves; `npm run schema` writes it', async () => {
  const path = join(import.meta.dirname, '../../../schema/schema.graphql');
  expect(await readFile(path, 'utf8')).toBe(printedSchema());
});
