/**
 * A result as it will be read back from the database: through JSON, without the characters that PostgreSQL's jsonb does
 * not take (NUL and halves of surrogate pairs). Done before it is used, so that a cached result equals a fresh one.
 */
export function storedMetadata(value: unknown): unknown {
  const json = JSON.stringify(value) ?? 'null';
  const clean = json.replace(/\\(u[0-9a-f]{4}|.)/g, (escaped) =>
    /^\\u(0000|d[89a-f]..)$/.test(escaped) ? '\u{fffd}' : escaped,
  );
  return JSON.parse(clean);
}
