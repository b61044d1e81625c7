import type { Settings } from '../../domain/config.ts';

/** The mirror's URL for a URL by `STOWAGE_URL_REWRITES`, or null. The longest prefix wins. */
export function rewriteUrl(url: string, rewrites: Settings['urlRewrites']): string | null {
  let best: Settings['urlRewrites'][number] | null = null;
  for (const rewrite of rewrites) {
    if (url.startsWith(rewrite.prefix) && (!best || rewrite.prefix.length > best.prefix.length))
      best = rewrite;
  }
  return best && best.replacement + url.slice(best.prefix.length);
}
