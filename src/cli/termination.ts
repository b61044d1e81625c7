/**
 * Ctrl-C in a terminal reaches every process of the group, and npm and timeout(1) send theirs on top of it: what comes
 * so soon after the first signal is the same wish.
 */
const SAME_WISH_MS = 1_000;

/** Calls `first` at the first SIGINT or SIGTERM and `again` when somebody insists. Returns how to stop listening. */
export function onTermination(
  first: (signal: NodeJS.Signals) => void,
  again: (signal: NodeJS.Signals) => void,
): () => void {
  let firstAt: number | null = null;
  const listener = (signal: NodeJS.Signals): void => {
    if (firstAt === null) {
      firstAt = performance.now();
      first(signal);
    } else if (performance.now() - firstAt > SAME_WISH_MS) {
      again(signal);
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
