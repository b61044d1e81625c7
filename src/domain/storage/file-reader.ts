import { close, open, read } from 'node:fs';

/** The functions of a read stream: where there is no file, it fails with what `missing` makes. */
export function fileReader(missing: () => Error) {
  return {
    close,
    read,
    open(path: string, flags: string, mode: number, done: (error: Error | null, fd?: number) => void): void {
      open(path, flags, mode, (error, descriptor) => {
        done(error?.code === 'ENOENT' ? missing() : error, descriptor);
      });
    },
  };
}
