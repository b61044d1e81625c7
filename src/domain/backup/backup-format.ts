import type { Digest } from '../storage/blob-store.ts';

/**
 * What lies in the directory of backups (docs/operations.md, Backup and restore):
 *
 *   blobs/                 one blob store for all backups: what is there is not copied again
 *   20261121T204512Z/      one backup; a name that begins with a dot has not been finished
 *     backup.json          {@link BackupDescription}
 *     tables/NAME.copy.gz  rows as PostgreSQL's COPY writes them (text format), compressed
 *     blobs.txt.gz         a line for each blob that the rows name: digest, size, whether it was damaged (t or f), by tabs
 *     keys/                keys of the data directory, secret
 *     SHA256SUMS           of all these files, for sha256sum --check
 */
export interface BackupDescription {
  format: typeof BACKUP_FORMAT;
  madeAt: string;
  /** Of Stowage. */
  version: string;
  /** Names of migrations that the database had. */
  migrations: string[];
  /** Number of the queue's newest migration. */
  queueMigration: number;
  tables: DumpedTable[];
  sequences: { name: string; last: string; isCalled: boolean }[];
  blobs: { count: number; bytes: number; lost: LostBlob[] };
  keys: string[];
}

export const BACKUP_FORMAT = 1;

export interface DumpedTable {
  /** With its schema if that is the queue's. */
  name: string;
  columns: string[];
  rows: number;
}

/** Named by rows, and not in the backup since the store did not have it, or not as it was. */
export interface LostBlob {
  digest: Digest;
  problem: 'missing' | 'damaged';
}

export const DESCRIPTION = 'backup.json';
export const CHECKSUMS = 'SHA256SUMS';
export const BLOB_LIST = 'blobs.txt.gz';
export const BLOBS = 'blobs';
export const KEYS = 'keys';
const TABLES = 'tables';
export const QUEUE_SCHEMA = 'graphile_worker';

export function tableFile(name: string): string {
  return `${TABLES}/${name}.copy.gz`;
}

/** By its time, so that the newest comes last: 20261121T204512Z. */
export function backupName(at: Date): string {
  return at.toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

export const BACKUP_NAME = /^\d{8}T\d{6}Z(-\d+)?$/;

/** What somebody who waits is told. */
export interface BackupObserver {
  /** Something begins that may take long. */
  onStep?: (name: string) => void;
  onTable?: (table: DumpedTable) => void;
}
