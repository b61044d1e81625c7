import { Command } from 'commander';
import { durationMs } from '../../domain/duration.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { printTable } from '../print-table.ts';
import { withDatabase } from '../with-database.ts';

export function userCommand(): Command {
  const command = new Command('user').description('manage users and their tokens');
  command
    .command('add')
    .description('add a user; without a password it can only use tokens')
    .argument('<name>')
    .option('--admin', 'may administer the server')
    .option('--password-stdin', 'read the password from standard input')
    .action(addUser);
  command
    .command('token')
    .description('make a token; its secret is printed once, alone, on standard output')
    .argument('<name>', 'whose token')
    .argument('<token-name>')
    .option('--scope <scope...>', 'read, write, admin (default: read and write)')
    .option('--expires <duration>', 'for example 12h, 30d')
    .action(addToken);
  command.command('list').description('list users and their tokens').action(listUsers);
  return command;
}

async function addUser(name: string, options: { admin?: boolean; passwordStdin?: boolean }): Promise<void> {
  const password = options.passwordStdin ? await passwordFromStdin() : null;
  const isAdmin = options.admin ?? false;
  const [accounts, { auditedCommand }] = await Promise.all([
    import('../../domain/identity/accounts.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
  await withDatabase('stowage-user', (database) =>
    auditedCommand(database, { action: 'createUser', details: { name, isAdmin } }, () =>
      accounts.addUser(database, { name, password, isAdmin }),
    ),
  );
  process.stdout.write(`added ${options.admin ? 'administrator' : 'user'} ${name}\n`);
}

async function addToken(
  userName: string,
  name: string,
  options: { scope?: string[]; expires?: string },
): Promise<void> {
  const expiresAt = options.expires === undefined ? null : new Date(Date.now() + durationMs(options.expires));
  const scopes = options.scope?.flatMap((words) => words.split(',').filter(Boolean));
  const [tokens, { auditedCommand }] = await Promise.all([
    import('../../domain/identity/tokens.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
  const details = { user: userName, name, expiresAt, ...(scopes && { scopes }) };
  const { secret } = await withDatabase('stowage-user', (database) =>
    auditedCommand(database, { action: 'createToken', details }, () =>
      tokens.addToken(database, { userName, name, expiresAt, ...(scopes && { scopes }) }),
    ),
  );
  process.stdout.write(`${secret}\n`);
  const until = expiresAt === null ? '' : `, valid until ${expiresAt.toISOString()}`;
  process.stderr.write(`token ${name} of ${userName}${until}; the secret is not shown again\n`);
}

async function listUsers(): Promise<void> {
  const [{ User }, { Token }] = await Promise.all([
    import('../../domain/identity/user.ts'),
    import('../../domain/identity/token.ts'),
  ]);
  const rows = await withDatabase('stowage-user', async (database) => {
    const em = database.em();
    const users = await em.find(User, {}, { orderBy: { name: 'asc' } });
    const tokens = await em.find(Token, {}, { orderBy: { name: 'asc' } });
    return users.map((user) => [
      user.name,
      user.isAdmin ? 'administrator' : 'user',
      user.disabledAt ? 'disabled' : 'active',
      tokens
        .filter((token) => token.user.id === user.id)
        .map((token) => describeToken(token.name, token.scopes, token.expiresAt ?? null))
        .join(', ') || '–',
    ]);
  });
  printTable(['NAME', 'ROLE', 'STATE', 'TOKENS'], rows);
}

function describeToken(name: string, scopes: readonly string[], expiresAt: Date | null): string {
  const until = expiresAt === null ? '' : ` until ${expiresAt.toISOString().slice(0, 10)}`;
  return `${name} (${scopes.join(' ')}${until})`;
}

async function passwordFromStdin(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw new InvalidInputError('There is no password on standard input');
  return password;
}
