import type { ImageBuild } from './image-builder.ts';

export interface SecretVariable {
  id: string;
  variable: string;
  value: string;
}

/**
 * Secrets as variables of the builder, which no step sees. Not as files: buildah copies those into its storage, on disk,
 * and what it finds in variables into memory only.
 */
export function secretVariables(secrets: ImageBuild['secrets']): SecretVariable[] {
  return Object.entries(secrets).map(([id, value], index) => ({
    id,
    variable: `STEP_SECRET_${index}`,
    value,
  }));
}

/** For the builder's command. */
export function secretArguments(secrets: readonly SecretVariable[]): string[] {
  return secrets.flatMap(({ id, variable }) => ['--secret', `id=${id},env=${variable}`]);
}

/** For the builder's process. */
export function secretEnvironment(secrets: readonly SecretVariable[]): Record<string, string> {
  return Object.fromEntries(secrets.map(({ variable, value }) => [variable, value]));
}
