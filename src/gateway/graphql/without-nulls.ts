type WithoutNulls<T> = { [Key in keyof T]: Exclude<T[Key], null | undefined> } extends infer Shape
  ? { [Key in keyof Shape]: Shape[Key] }
  : never;

/** An input object as the domain takes it: what is null was not given. */
export function withoutNulls<T extends object>(input: T): WithoutNulls<T> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value != null)) as WithoutNulls<T>;
}
