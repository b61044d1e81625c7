/** One row of `stowage doctor`. */
export interface CheckResult {
  name: string;
  state: 'ok' | 'warn' | 'fail';
  found: string;
  /** What to do about it; null: nothing. */
  advice: string | null;
}

export type Check = () => Promise<CheckResult | CheckResult[]>;

export function ok(name: string, found: string): CheckResult {
  return { name, state: 'ok', found, advice: null };
}

export function warn(name: string, found: string, advice: string): CheckResult {
  return { name, state: 'warn', found, advice };
}

export function fail(name: string, found: string, advice: string): CheckResult {
  return { name, state: 'fail', found, advice };
}

/** The reason in one line, without what only helps a developer. */
export function reason(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { message?: string; code?: string } };
  const inner = cause?.code ?? cause?.message;
  return (inner && message === 'fetch failed' ? inner : message).split('\n')[0]!;
}
