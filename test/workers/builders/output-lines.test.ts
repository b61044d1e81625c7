import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { MOST_LINE_BYTES, passOnLines } from '../../../src/workers/builders/output-lines.ts';

async function lines(...chunks: (string | Buffer)[]): Promise<string[]> {
  const taken: string[] = [];
  await passOnLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk as string))), (line) => {
    taken.push(line);
    return null;
  });
  return taken;
}

describe('passOnLines', () => {
  it.each([
    ['lines', ['a\nb\n'], ['a', 'b']],
    ['a last one without end', ['a\nb'], ['a', 'b']],
    ['empty ones', ['\n\na\n'], ['', '', 'a']],
    ['lines over chunks', ['a', 'b\nc', '', 'd\n'], ['ab', 'cd']],
    ['characters over chunks', [Buffer.from('ä\n').subarray(0, 1), Buffer.from('ä\n').subarray(1)], ['ä']],
    ['Windows line ends', ['a\r\nb\r\n'], ['a', 'b']],
    ['progress bars', ['10%\r50%\r100%\n'], ['100%']],
    ['colours', ['\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\n'], ['red x']],
    ['controls', ['a\x00b\x07c\td\n'], ['a\u{fffd}b\u{fffd}c\td']],
    ['what is no UTF-8', [Buffer.from([0x61, 0xff, 0xfe, 0x0a])], ['a\u{fffd}\u{fffd}']],
  ])('%s', async (_, chunks, expected) => {
    expect(await lines(...chunks)).toEqual(expected);
  });

  it('cuts long lines, however they come', async () => {
    const long = 'x'.repeat(3 * MOST_LINE_BYTES);
    const expected = [`${'x'.repeat(MOST_LINE_BYTES)} […line cut]`, 'next'];
    expect(await lines(`${long}\nnext\n`)).toEqual(expected);
    expect(await lines(...long.match(/.{1,1000}/g)!, '\nnext\n')).toEqual(expected);
  });

  it('does not go on before what is full has room', async () => {
    let isFull = false;
    let count = 0;
    const all = `${'line\n'.repeat(1000)}`;
    await passOnLines(Readable.from([Buffer.from(all)]), (_line) => {
      expect(isFull).toBe(false);
      isFull = true;
      count++;
      return new Promise((resolve) =>
        setImmediate(() => {
          isFull = false;
          resolve();
        }),
      );
    });
    expect(count).toBe(1000);
  });
});
