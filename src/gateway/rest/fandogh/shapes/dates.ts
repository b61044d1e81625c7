/** UTC with six digits of a second (fandogh.md 1.4). */
export function dateTime(date: Date | string): string {
  return new Date(date).toISOString().replace(/Z$/, '000Z');
}
