/** Longer files are not pointers, says the specification of Git LFS. */
export const MAX_LFS_POINTER_BYTES = 1024;

const POINTER =
  /^version https:\/\/[\w./-]*git-lfs[\w./-]*\/spec\/v1\n(?:ext-[^\n]*\n)*oid sha256:[0-9a-f]{64}\nsize \d+\n/;

/** Whether a file is only a note of where Git LFS keeps the real content. */
export function isLfsPointer(content: Buffer): boolean {
  return content.length <= MAX_LFS_POINTER_BYTES && POINTER.test(content.toString('latin1'));
}
