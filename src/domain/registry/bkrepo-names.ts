import { InvalidInputError } from '../errors.ts';

/** What bk-repo lets projects and repositories be called (bkrepo-docker.md 2.2). Wider, and in parts narrower, than ours. */
const PROJECT_NAME = /^[a-zA-Z_][a-zA-Z0-9_-]{1,99}$/;
const REPOSITORY_NAME = /^[a-zA-Z_][a-zA-Z0-9._-]{1,63}$/;
const DISPLAY_NAME = { least: 2, most: 100 };
const LONGEST_TEXT = 200;

/** Throws InvalidInputError, whose details name the parameter. */
export function requireBkrepoProject({
  name,
  displayName,
}: {
  name?: string;
  displayName?: string | undefined;
}): void {
  if (name !== undefined && !PROJECT_NAME.test(name)) throw invalid('name');
  if (displayName === undefined) return;
  const length = [...displayName].length;
  if (length < DISPLAY_NAME.least || length > DISPLAY_NAME.most) throw invalid('displayName');
}

/** Throws InvalidInputError, whose details name the parameter. */
export function requireBkrepoRepository({
  name,
  ...texts
}: {
  name?: string;
  displayName?: string | undefined;
  description?: string | undefined;
}): void {
  if (name !== undefined && !REPOSITORY_NAME.test(name)) throw invalid('name');
  for (const parameter of ['displayName', 'description'] as const) {
    if ((texts[parameter] ?? '').length > LONGEST_TEXT) throw invalid(parameter);
  }
}

function invalid(parameter: string): InvalidInputError {
  return new InvalidInputError(`This is not a valid ${parameter}`, { details: { parameter } });
}
