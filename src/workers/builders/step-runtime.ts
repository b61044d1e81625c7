import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { SandboxMount } from './sandbox.ts';

/** What buildah runs steps with: runc, as a sandbox sees it. */
export const STEP_RUNTIME = '/run/step-runtime';
const EDIT = '/run/step-environment.sed';

/**
 * buildah can set variables for steps only by putting them into the image. This sets them in what it tells runc: for the
 * command of a step, and nowhere else. What the Dockerfile sets itself comes after it, and so counts.
 */
const SCRIPT = `#!/bin/sh
bundle= is_next=
for argument in "$@"; do
  [ -n "$is_next" ] && bundle=$argument
  is_next=
  [ "$argument" = --bundle ] && is_next=yes
done
[ -n "$bundle" ] && [ -s ${EDIT} ] && sed -i -f ${EDIT} "$bundle/config.json"
exec runc "$@"
`;

/** Throws BuildFailure `builder-unavailable` where there is no runtime to set them. */
export async function stepRuntime(
  stepEnvironment: Readonly<Record<string, string>>,
  { buildIsolation }: Settings,
  temporary: string,
): Promise<SandboxMount[]> {
  const variables = Object.entries(stepEnvironment).map(([name, value]) =>
    JSON.stringify(`${name}=${value}`),
  );
  if (buildIsolation === 'chroot') {
    if (variables.length === 0) return [];
    throw new BuildFailure('builder-unavailable', 'Builds from a bundle need STOWAGE_BUILD_ISOLATION=oci');
  }
  const script = join(temporary, 'step-runtime');
  const edit = join(temporary, 'step-environment.sed');
  await writeFile(script, SCRIPT, { mode: 0o755 });
  // In texts of JSON each quote has a backslash: what follows a comma directly is the name of a field.
  const added = variables.join(',').replaceAll(/[\\&|]/g, '\\$&');
  await writeFile(edit, added === '' ? '' : `s|,"env":\\[|,"env":[${added},|\n`);
  return [
    { source: script, target: STEP_RUNTIME, isWritable: false },
    { source: edit, target: EDIT, isWritable: false },
  ];
}
