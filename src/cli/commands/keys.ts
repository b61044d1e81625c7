import { Command } from 'commander';
import { printTable } from '../print-table.ts';
import { withDatabase } from '../with-database.ts';

export function keysCommand(): Command {
  const command = new Command('keys').description('show and replace the keys with which tokens are signed');
  command.command('list', { isDefault: true }).description('list the keys, never their secrets').action(list);
  command
    .command('rotate')
    .description('sign with a new key; what older ones have signed stays good until they are forgotten')
    .argument('<purpose>', 'registry-tokens or session-tokens')
    .option('--forget', 'forget the older ones at once: everybody has to log in again')
    .action(rotate);
  command
    .command('forget')
    .description('forget a key that has been replaced: what it has signed is good no longer')
    .argument('<id>')
    .action(forget);
  return command;
}

async function list(): Promise<void> {
  const { KEY_PURPOSES, listKeys } = await import('../../domain/identity/shared-keys.ts');
  const keys = await withDatabase('stowage-keys', listKeys);
  printTable(
    ['ID', 'PURPOSE', 'SINCE', 'STATE', 'SIGNS'],
    keys.map(({ id, purpose, createdAt, retiredAt }) => [
      id,
      purpose,
      createdAt.toISOString(),
      retiredAt === null ? 'signs' : 'verifies',
      KEY_PURPOSES[purpose as keyof typeof KEY_PURPOSES] ?? '–',
    ]),
  );
}

async function rotate(purpose: string, { forget: forgetting = false }: { forget?: boolean }): Promise<void> {
  const [{ rotateKey }, { auditedCommand }] = await modules();
  const { id } = await withDatabase('stowage-keys', (database) =>
    auditedCommand(database, { action: 'rotateKey', details: { purpose, forgetting } }, () =>
      rotateKey(database, purpose, { forgetting }),
    ),
  );
  process.stdout.write(`${id}\n`);
  const others = forgetting ? 'are forgotten' : 'still verify';
  process.stderr.write(`key ${id} signs ${purpose} within half a minute; older ones ${others}\n`);
}

async function forget(id: string): Promise<void> {
  const [{ forgetKey }, { auditedCommand }] = await modules();
  await withDatabase('stowage-keys', (database) =>
    auditedCommand(database, { action: 'forgetKey', details: { id } }, () => forgetKey(database, id)),
  );
  process.stderr.write(`key ${id} is forgotten\n`);
}

function modules() {
  return Promise.all([
    import('../../domain/identity/shared-keys.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
}
