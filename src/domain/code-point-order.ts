/**
 * Order of code points, which is that of the UTF-8 bytes, of Python and of PostgreSQL's collation "C", whatever the
 * locale. JavaScript's own order is that of UTF-16: it puts what lies above U+FFFF before U+E000…U+FFFF.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return utf8Rank(left) - utf8Rank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above U+FFFF: in UTF-8 they come after U+E000…U+FFFF. */
function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
