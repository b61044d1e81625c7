import { text } from 'node:stream/consumers';
import { DomainError } from '../../../domain/errors.ts';
import { startProcessGroup } from '../../process-group.ts';

const SECONDS = 10;
/** As the protocol spells it: all others are failures. */
const NONE = 'credentials not found in native keychain';
/** Who has only a token that other tokens are got for. */
const IDENTITY_TOKEN = '<token>';

/**
 * Asks a credential helper of docker's clients (`docker-credential-NAME get`) for `user:password` of a registry; null: it has
 * none. It sees nothing of our settings, and ends within ten seconds. Throws DomainError, which repeats nothing secret.
 */
export async function askCredentialHelper(
  name: string,
  registry: string,
  signal: AbortSignal,
): Promise<string | null> {
  const program = `docker-credential-${name}`;
  const failed = (problem: string): DomainError =>
    new DomainError(
      'credential-helper-failed',
      `${program} gives no credentials for ${registry}: ${problem}`,
    );
  if (!/^[\w.-]+$/.test(name)) throw failed('this is not the name of a program');
  const helper = startProcessGroup(program, ['get'], {
    workingDirectory: '/',
    environment: withoutSettings(process.env),
    signal,
    seconds: SECONDS,
  });
  helper.stdin.end(registry);
  const [said, { exitCode, timedOut }] = await Promise.all([text(helper.stdout), helper.ended]).catch(
    (error: NodeJS.ErrnoException) => {
      signal.throwIfAborted();
      throw failed(error.code === 'ENOENT' ? 'it is not installed on the worker' : error.message);
    },
  );
  if (timedOut) throw failed(`it has not answered within ${SECONDS} seconds`);
  if (exitCode !== 0) {
    if (said.trim().toLowerCase() === NONE) return null;
    throw failed(said.trim().split('\n')[0]!.slice(0, 200) || `it ended with status ${exitCode}`);
  }
  const { Username: user, Secret: password } = parsed(said);
  if (typeof user !== 'string' || typeof password !== 'string')
    throw failed('its answer has no Username and Secret');
  if (user === IDENTITY_TOKEN) throw failed('identity tokens are not supported, only a user and a password');
  return user === '' && password === '' ? null : `${user}:${password}`;
}

function parsed(said: string): { Username?: unknown; Secret?: unknown } {
  try {
    return (JSON.parse(said) as object | null) ?? {};
  } catch {
    return {};
  }
}

/** Helpers need what the worker has of HOME, PATH and their own services, but nothing that opens ours. */
function withoutSettings(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(STOWAGE_|DATABASE_URL(_FILE)?$|PG)/.test(entry[0]),
  );
  return Object.fromEntries(kept);
}
