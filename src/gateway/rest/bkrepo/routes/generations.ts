import type { BkrepoRoute } from '../route.ts';

/** Where the newer document has its calls; the service of today's servers has another name. */
const EXT_PREFIXES = ['/docker/ext', '/oci/ext'] as const;
export const API_PREFIX = '/docker/api';

/** A call of the newer document. */
export function inExt(route: (prefix: string) => BkrepoRoute): BkrepoRoute[] {
  return EXT_PREFIXES.map(route);
}

/** A call that is the same in both documents. */
export function inBoth(route: (prefix: string) => BkrepoRoute): BkrepoRoute[] {
  return [...inExt(route), route(API_PREFIX)];
}
