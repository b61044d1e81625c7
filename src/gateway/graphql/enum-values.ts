/** `git-submodule` is `GIT_SUBMODULE` in the schema. */
export function valuesOf<const Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(
    names.map((name) => [name.toUpperCase().replaceAll('-', '_'), { value: name }]),
  ) as Record<string, { value: Name }>;
}
