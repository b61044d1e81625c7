import type { Plugin } from 'graphql-yoga';

const MOST_TOKENS = 10_000;

/** Documents of unreasonable length are refused while they are read. */
export const parseLimits: Plugin = {
  onParse({ parseFn, setParseFn }) {
    setParseFn((source, options) => parseFn(source, { ...options, maxTokens: MOST_TOKENS }));
  },
};
