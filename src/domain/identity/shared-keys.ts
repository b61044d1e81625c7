import { randomBytes } from 'node:crypto';
import type { Database } from '../database/database.ts';
import {
  forgetSharedSecrets,
  listSharedSecrets,
  replaceSharedSecret,
  type SharedSecret,
  sharedSecrets,
} from '../database/sql/shared-secrets.ts';
import { InvalidInputError } from '../errors.ts';

/** What is signed with secrets that all gateways share. */
export const KEY_PURPOSES = {
  'registry-tokens': 'tokens of docker clients and of builds',
  'session-tokens': 'logins of the Fandogh CLI and of browsers',
} as const;
export type KeyPurpose = keyof typeof KEY_PURPOSES;

const SECRET_BYTES = 32;
/** Less than the time after which a new one signs. */
const REFRESH_MS = 5_000;

/** The secrets for one purpose, as this process knows them. */
export class SharedKeys {
  readonly #database: Database;
  readonly #purpose: KeyPurpose;
  #known: Promise<Buffer[]> | null = null;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database, purpose: KeyPurpose) {
    this.#database = database;
    this.#purpose = purpose;
  }

  /** The first signs, all verify. Those of a few seconds ago; older ones while the database cannot be reached. */
  async all(): Promise<readonly Buffer[]> {
    const before = this.#known;
    if (before === null || performance.now() - this.#readAt > REFRESH_MS) {
      this.#readAt = performance.now();
      this.#known = sharedSecrets(this.#database.sql, this.#purpose, randomBytes(SECRET_BYTES)).catch(
        (error: unknown) => {
          this.#known = before;
          if (before === null) throw error;
          return before;
        },
      );
    }
    return await this.#known!;
  }
}

export async function listKeys({ sql }: Pick<Database, 'sql'>): Promise<SharedSecret[]> {
  return await listSharedSecrets(sql);
}

/**
 * A new key signs from now on; what others have signed stays good until they are forgotten. `forgetting`: at once, for a key
 * that somebody else may know. Throws InvalidInputError.
 */
export async function rotateKey(
  database: Database,
  purpose: string,
  { forgetting = false }: { forgetting?: boolean } = {},
): Promise<SharedSecret> {
  if (!Object.hasOwn(KEY_PURPOSES, purpose)) {
    throw new InvalidInputError(
      `"${purpose}" is not signed with a shared key; ${Object.keys(KEY_PURPOSES).join(', ')} are`,
    );
  }
  return await database.transaction(async ({ sql }) => {
    const key = await replaceSharedSecret(sql, purpose, randomBytes(SECRET_BYTES));
    if (forgetting) await forgetSharedSecrets(sql, { purpose });
    return key;
  });
}

/** What it has signed is good no longer. Throws InvalidInputError for one that is not there, also for a key that signs. */
export async function forgetKey({ sql }: Pick<Database, 'sql'>, id: string): Promise<void> {
  const forgotten = await forgetSharedSecrets(sql, { id });
  if (forgotten.length === 0) {
    throw new InvalidInputError(`There is no key "${id}" that has been replaced`, {
      hint: 'stowage keys lists them; the key that signs has to be rotated first.',
    });
  }
}
