/** Properties of components (prefetch.md 13.2): flags are `true` or absent. */
export const BUNDLED = 'cdx:npm:package:bundled';
export const DEVELOPMENT = 'cdx:npm:package:development';
export const INSTALL_SCRIPT = 'stowage:npm:has-install-script';
export const BINARY = 'stowage:pip:package:binary';
export const BUILD_DEPENDENCY = 'stowage:pip:package:build-dependency';
/** The files that name the component without a digest, comma separated. */
export const MISSING_HASH = 'stowage:missing_hash:in_file';
/** Where a lock file names several files for the component: `algorithm:hex` of all of them, comma separated. */
export const ANY_HASH = 'stowage:locked:any_hash';
/** Of a module as go.sum has it: no hash of a file, but of what is in it. */
export const GO_SUM = 'stowage:gomod:sum';
