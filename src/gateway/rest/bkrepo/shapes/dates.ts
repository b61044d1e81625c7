/** Times come from the schema in ISO 8601 with milliseconds, in UTC: `2020-09-10T14:48:22.846Z`. */

/** `/docker/ext` and the generic API: without a zone (bkrepo-docker.md 0.7). */
export function extDate(time: string): string {
  return time.slice(0, -1);
}

/** `/docker/api`: with a space and the zone. */
export function apiDate(time: string): string {
  return time.replace('T', ' ');
}
