/** The name of a setting, e.g. `local.my-gem`, as Bundler writes it in its configuration files and in the environment. */
export function settingKey(name: string): string {
  return `BUNDLE_${name.replaceAll('.', '__').replaceAll('-', '___').toUpperCase()}`;
}
