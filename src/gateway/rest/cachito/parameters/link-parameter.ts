/** A parameter as the links of pages carry it. */
export type LinkParameter = [name: string, value: string];

/** None for null. */
export function linkParameter(name: string, value: string | null): LinkParameter[] {
  return value === null ? [] : [[name, value.toWellFormed()]];
}
