import { ValidationError } from '../../domain/errors.ts';
import type { ArtifactRequest } from '../downloads/artifact-store.ts';

/**
 * For a tarball of which the lock file has no digest: a page of a registry that says 200 while it is being mended must not
 * be taken, and kept, for the package.
 */
export function inspectTarball(fileName: string): NonNullable<ArtifactRequest['inspect']> {
  return {
    name: 'npm-tarball-1',
    run: async (open) => {
      let head = Buffer.alloc(0);
      for await (const chunk of open() as AsyncIterable<Buffer>) {
        head = Buffer.concat([head, chunk]);
        if (head.length >= HEAD_BYTES) break;
      }
      if (isGzip(head) || isTar(head)) return null;
      throw new ValidationError(
        'package-rejected',
        `The file ${fileName} is not a package: it is no archive`,
      );
    },
  };
}

const HEAD_BYTES = 512;

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

function isTar(head: Buffer): boolean {
  return head.length >= HEAD_BYTES && head.toString('latin1', 257, 262) === 'ustar';
}
