import type { ConfigurationFile, EnvironmentVariable } from './bundle-file.ts';

/**
 * What a native bundle carries for its consumer besides source and dependencies: `stowage.env`, to be sourced by a shell,
 * and the rewritten configuration below `config/`, to be laid over by `cp -R config/. .` — next to the source, not over
 * it, so that the source stays what the commit has.
 */
const ENVIRONMENT_FILE = 'stowage.env';
const CONFIGURATION_DIRECTORY = 'config';

/** Paths relative to the bundle root; contents depend on nothing but the arguments. */
export function consumerFiles(
  environment: readonly EnvironmentVariable[],
  configurationFiles: readonly ConfigurationFile[],
): { path: string; content: Buffer }[] {
  return [
    { path: ENVIRONMENT_FILE, content: Buffer.from(environmentScript(environment)) },
    ...configurationFiles.map(({ path, content }) => ({
      path: `${CONFIGURATION_DIRECTORY}/${path}`,
      content,
    })),
  ];
}

/**
 * A script for POSIX shells. It may lie anywhere together with the unpacked bundle: bash and zsh know where a sourced file
 * is, in other shells the current directory must be the bundle, or STOWAGE_BUNDLE names it.
 */
export function environmentScript(environment: readonly EnvironmentVariable[]): string {
  const odd = environment.find(({ name }) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (odd) throw new Error(`"${odd.name}" is no name of a variable`);
  const exports = unique(environment).map(({ name, value, kind }) =>
    kind === 'path' ? `export ${name}="$STOWAGE_BUNDLE"/${quoted(value)}` : `export ${name}=${quoted(value)}`,
  );
  const script = `${PREAMBLE}\n${exports.map((line) => `${line}\n`).join('')}`;
  return environment.some(({ name, kind }) => name === 'PIP_FIND_LINKS' && kind === 'path')
    ? `${script}${PIP_IN_ODD_PATHS}`
    : script;
}

const PREAMBLE = `# Source this file in the unpacked bundle: . ./stowage.env
# Lay the configuration over the source first: cp -R config/. .
if [ -n "\${BASH_SOURCE:-}" ]; then
  STOWAGE_BUNDLE=$(CDPATH= cd -- "$(dirname -- "$BASH_SOURCE")" && pwd)
elif [ -n "\${ZSH_VERSION:-}" ]; then
  eval 'STOWAGE_BUNDLE=$(CDPATH= cd -- "$(dirname -- "\${(%):-%x}")" && pwd)'
elif [ -z "\${STOWAGE_BUNDLE:-}" ]; then
  STOWAGE_BUNDLE=$PWD
fi
export STOWAGE_BUNDLE`;

/** Only there, so that the values are plain paths everywhere else. */
const PIP_IN_ODD_PATHS = `# pip splits PIP_FIND_LINKS at blanks and needs STOWAGE_DEPS as part of a URL.
case $STOWAGE_BUNDLE in
  *[\\ %#?]*)
    STOWAGE_DEPS=$(printf %s "$STOWAGE_BUNDLE/deps" | sed 's/%/%25/g; s/ /%20/g; s/#/%23/g; s/?/%3F/g')
    PIP_FIND_LINKS=file://$STOWAGE_DEPS/pip
    export STOWAGE_DEPS PIP_FIND_LINKS
    ;;
esac
`;

/** The same as data, for tools that are no shell. */
export function environmentJson(environment: readonly EnvironmentVariable[]): string {
  return `${JSON.stringify(unique(environment), ['name', 'value', 'kind'], 2)}\n`;
}

/** By name; of two values the later one counts (cachito.md 1.9). */
function unique(environment: readonly EnvironmentVariable[]): EnvironmentVariable[] {
  const byName = new Map(environment.map((variable) => [variable.name, variable]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function quoted(value: string): string {
  return /^[\w./:@%+,=-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
