import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './schema.ts';

/** schema/schema.graphql, as `npm run schema` writes it and a test compares it. */
export function printedSchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

if (import.meta.main) {
  await writeFile(join(import.meta.dirname, '../../../schema/schema.graphql'), printedSchema());
}
