/** The state is untouched then; the queue repeats the job when the database is back. */
export function isDatabaseFailure(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : '';
  return (
    (typeof code === 'string' && /^(08|57P|53|40)\w*$/.test(code) && code.length === 5) ||
    /Connection terminated|Client has encountered a connection error|terminating connection/.test(message)
  );
}
