import type { Plugin } from 'graphql-yoga';

/** Counts open subscriptions, over SSE and web sockets alike. */
export function countSubscriptions(subscribers: { inc(): void; dec(): void }): Plugin {
  return {
    onSubscribe: () => ({
      onSubscribeResult({ result }) {
        if (!(Symbol.asyncIterator in result)) return;
        subscribers.inc();
        return { onEnd: () => subscribers.dec() };
      },
    }),
  };
}
