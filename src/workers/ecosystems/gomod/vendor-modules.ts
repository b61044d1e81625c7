import { InvalidFileFormat } from '../../../domain/errors.ts';
import type { ModuleVersion } from './module-path.ts';

/** The modules of a vendor/modules.txt that have packages, named as reports name them (prefetch.md 2.1). */
export function parseVendorModules(text: string): ModuleVersion[] {
  const found: ModuleVersion[] = [];
  let current: ModuleVersion | null = null;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('##')) continue;
    if (line.startsWith('# ')) {
      current = parseModuleLine(line);
    } else if (/^\S+$/.test(line) && !line.startsWith('#')) {
      if (!current) throw malformed(`package has no parent module: ${line}`);
      if (found.at(-1) !== current) found.push(current);
    } else {
      throw malformed(`unexpected format: '${line}'`);
    }
  }
  return found;
}

function parseModuleLine(line: string): ModuleVersion {
  const words = line.slice(2).split(' ');
  const arrow = words.indexOf('=>');
  const [path, version] = words as [string, string];
  if (arrow < 0 && words.length === 2) return { path, version };
  if (arrow === 1 || arrow === 2) {
    const [newPath, newVersion, ...more] = words.slice(arrow + 1);
    if (newPath && more.length === 0) {
      return newVersion === undefined ? { path, version: newPath } : { path: newPath, version: newVersion };
    }
  }
  throw malformed(`unexpected module line format: '${line}'`);
}

function malformed(what: string): InvalidFileFormat {
  return new InvalidFileFormat('unexpected-format', `vendor/modules.txt: ${what}`);
}
