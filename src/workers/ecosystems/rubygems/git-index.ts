import { createHash } from 'node:crypto';
import type { SourceMode } from '../../../domain/sources/source-tree.ts';

/** A file as git's index lists it. */
export interface IndexEntry {
  path: string;
  mode: SourceMode;
  size: number;
  /** 40 hex characters: of the blob, of a submodule its commit. */
  objectId: string;
}

/** The fixed part of an entry before the path. */
const FIXED = 62;
const LONGEST_STATED_NAME = 0xfff;

/**
 * Git's index (gitformat-index, version 2) of a work tree that was never looked at: no times and no inode numbers, so
 * the same bytes everywhere; git compares contents then, once. Entries are sorted bytewise by path.
 */
export function gitIndex(entries: readonly IndexEntry[]): Buffer {
  const header = Buffer.alloc(12);
  header.write('DIRC', 0, 'latin1');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(entries.length, 8);
  const content = Buffer.concat([header, ...entries.map(indexEntry)]);
  return Buffer.concat([content, createHash('sha1').update(content).digest()]);
}

function indexEntry({ path, mode, size, objectId }: IndexEntry): Buffer {
  const name = Buffer.from(path);
  // At least one NUL, and whole groups of eight bytes.
  const entry = Buffer.alloc(Math.floor((FIXED + name.length + 8) / 8) * 8);
  entry.writeUInt32BE(Number.parseInt(mode, 8), 24);
  entry.writeUInt32BE(size % 2 ** 32, 36);
  entry.write(objectId, 40, 'hex');
  entry.writeUInt16BE(Math.min(name.length, LONGEST_STATED_NAME), 60);
  name.copy(entry, FIXED);
  return entry;
}
