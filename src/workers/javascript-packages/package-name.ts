import semver from 'semver';

/** npm's own bound on names is 214 characters; what encodeURIComponent leaves alone, no leading dot. */
const NAME_PART = /^[A-Za-z0-9~_*!'()-][A-Za-z0-9~_.*!'()-]*$/;
const MAX_NAME = 214;
const MAX_VERSION = 256;
/** semver's loose form would let spaces through. */
const VERSION_CHARACTERS = /^[\w.+-]+$/;

/** Whether a name can be used in paths and URLs: a scope and a name without separators, dots first or controls. */
export function isPackageName(name: string): boolean {
  if (name.length > MAX_NAME) return false;
  const parts = name.startsWith('@') ? name.slice(1).split('/') : [name];
  return parts.length === (name.startsWith('@') ? 2 : 1) && parts.every((part) => NAME_PART.test(part));
}

export function isVersion(version: string): boolean {
  return (
    version.length <= MAX_VERSION &&
    VERSION_CHARACTERS.test(version) &&
    semver.valid(version, { loose: true }) !== null
  );
}
