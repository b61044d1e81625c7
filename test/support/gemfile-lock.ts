/** Parts of a Gemfile.lock, in the order in which Bundler writes them. */
export interface LockParts {
  /** Whole sections before GEM: `GIT\n  remote: …`. */
  sections?: readonly string[];
  /** `name (version)`, with six spaces for what a gem needs. */
  gems?: readonly string[];
  remote?: string;
  platforms?: readonly string[];
  dependencies?: readonly string[];
  checksums?: readonly string[];
}

export function gemfileLock({
  sections = [],
  gems = [],
  remote = 'https://rubygems.org/',
  platforms = ['ruby'],
  dependencies = [],
  checksums = [],
}: LockParts): string {
  const block = (heading: string, lines: readonly string[]): string =>
    `${heading}\n${lines.map((line) => `  ${line}\n`).join('')}`;
  return [
    ...sections,
    block('GEM', [`remote: ${remote}`, 'specs:', ...gems.map((gem) => `  ${gem}`)]),
    block('PLATFORMS', platforms),
    block('DEPENDENCIES', dependencies),
    ...(checksums.length === 0 ? [] : [block('CHECKSUMS', checksums)]),
    block('BUNDLED WITH', [' 2.3.15']),
  ].join('\n');
}

export function gitSection(
  remote: string,
  options: Record<string, string>,
  specs: readonly string[],
): string {
  const lines = Object.entries(options).map(([key, value]) => `  ${key}: ${value}\n`);
  return `GIT\n  remote: ${remote}\n${lines.join('')}  specs:\n${specs.map((spec) => `    ${spec}\n`).join('')}`;
}

export function pathSection(remote: string, specs: readonly string[]): string {
  return `PATH\n  remote: ${remote}\n  specs:\n${specs.map((spec) => `    ${spec}\n`).join('')}`;
}
