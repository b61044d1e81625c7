import type { Readable } from 'node:stream';
import * as yauzl from 'yauzl';

/** What yauzl 3 has beyond its types. */
export interface ZipFile extends Pick<yauzl.ZipFile, 'close' | 'entryCount'> {
  eachEntry(): AsyncIterable<yauzl.Entry>;
  openReadStreamPromise(entry: yauzl.Entry): Promise<Readable>;
}

const { openPromise } = yauzl as unknown as {
  openPromise(path: string, options: yauzl.Options): Promise<ZipFile>;
};

/** The directory of a zip file; its members are read later, so the caller closes it. Throws Error when it is none. */
export function openZip(path: string): Promise<ZipFile> {
  return openPromise(path, { lazyEntries: true, autoClose: false });
}
