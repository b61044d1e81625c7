/**
 * What a test file finds in its process where files share one: the variables of the run, whatever the file before it has
 * left there. A setup file of vitest: it is evaluated before each.
 */
const KEY = Symbol.for('stowage.test.environment');
const kept = globalThis as typeof globalThis & { [KEY]?: NodeJS.ProcessEnv };

kept[KEY] ??= { ...process.env };
const ofTheRun = kept[KEY];
for (const name of Object.keys(process.env)) if (!(name in ofTheRun)) delete process.env[name];
Object.assign(process.env, ofTheRun);
