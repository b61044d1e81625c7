import type { Settings } from '../domain/config.ts';

/** Base of absolute links, without a slash at its end: as configured, else as the client addressed us. */
export function baseUrlOf(settings: Settings, request: { protocol: string; host: string }): string {
  return settings.publicUrl ?? `${request.protocol}://${request.host}`;
}
