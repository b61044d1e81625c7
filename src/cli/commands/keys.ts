import { Command } from 'commander';
import { InvalidInputError } from '../../domain/errors.ts';
import { printTable } from '../print-table.ts';
import { withDatabase } from '../with-database.ts';

export function keysCommand(): Command {
  const command = new Command('keys').description(
    'show and replace the keys with which tokens and provenance are signed',
  );
  command.command('list', { isDefault: true }).description('list the keys, never their secrets').action(list);
  command
    .command('rotate')
    .description('sign with a new key; what older ones have signed stays good until they are forgotten')
    .argument('<purpose>', 'registry-tokens, session-tokens or provenance')
    .option('--forget', 'forget the older ones of tokens at once: everybody has to log in again')
    .action(rotate);
  command
    .command('forget')
    .description('forget a key that has been replaced: what it has signed is good no longer')
    .argument('<id>')
    .action(forget);
  return command;
}

async function list(): Promise<void> {
  const [{ KEY_PURPOSES, listKeys }, { ownKeys }] = await Promise.all([
    import('../../domain/identity/shared-keys.ts'),
    import('../../domain/bundles/signing-keys.ts'),
  ]);
  const rows = await withDatabase('stowage-keys', async (database, settings) => [
    ...(await listKeys(database)).map(({ id, purpose, createdAt, retiredAt }) => [
      id,
      purpose,
      createdAt.toISOString(),
      retiredAt === null ? 'signs' : 'verifies',
      KEY_PURPOSES[purpose as keyof typeof KEY_PURPOSES] ?? '–',
    ]),
    ...(await ownKeys(settings)).map(({ keyId }, index) => [
      keyId,
      PROVENANCE,
      '–',
      index === 0 ? 'signs' : 'verifies',
      'provenance of bundles and images',
    ]),
  ]);
  if (rows.length > 0) printTable(['ID', 'PURPOSE', 'SINCE', 'STATE', 'SIGNS'], rows);
  else process.stdout.write('no keys yet: each is made when something is signed\n');
}

const PROVENANCE = 'provenance';

async function rotate(purpose: string, { forget: forgetting = false }: { forget?: boolean }): Promise<void> {
  if (purpose === PROVENANCE) return await rotateProvenanceKey(forgetting);
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

async function rotateProvenanceKey(forgetting: boolean): Promise<void> {
  if (forgetting) throw new InvalidInputError('--forget is for keys of tokens');
  const [{ rotateSigningKey }, { auditedCommand }] = await Promise.all([
    import('../../domain/bundles/signing-keys.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
  const { keyId } = await withDatabase('stowage-keys', (database, settings) =>
    auditedCommand(database, { action: 'rotateKey', details: { purpose: PROVENANCE } }, () =>
      rotateSigningKey(settings),
    ),
  );
  process.stdout.write(`${keyId}\n`);
  process.stderr.write(
    'this key signs provenance from now on; what older ones have signed is still verified\n',
  );
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
