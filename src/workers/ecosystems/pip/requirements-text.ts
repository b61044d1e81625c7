/** How the bytes of a requirements file become text: as pip reads them. */

/** As Python's own declaration, in one of the first two lines: `# -*- coding: latin-1 -*-`. */
const DECLARATION = /^(#.*coding[:=]\s*)([-\w.]+)/;

const PYTHON_NAMES: Record<string, string> = {
  'latin-1': 'iso-8859-1',
  'iso8859-1': 'iso-8859-1',
  'iso8859-15': 'iso-8859-15',
  'utf-8-sig': 'utf-8',
};

/** A byte order mark counts first, then a declaration; UTF-8 otherwise. Throws an Error that says what is wrong. */
export function decodeRequirements(content: Buffer): string {
  const encoding = encodingOf(content);
  const decoder = decoderOf(encoding);
  if (decoder === null) throw new Error(`its encoding ${encoding} is not known`);
  try {
    return decoder.decode(content);
  } catch {
    throw new Error(`it is not ${encoding.toUpperCase()} text`);
  }
}

/** The same line in a file that is written as UTF-8. */
export function declaredAsUtf8(line: string): string {
  return line.replace(DECLARATION, '$1utf-8');
}

function encodingOf(content: Buffer): string {
  const [first, second] = content;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  const head = content.subarray(0, 1000).toString('latin1').split('\n', 2);
  const declared = head.map((line) => DECLARATION.exec(line)?.[2]).find((name) => name !== undefined);
  return declared?.toLowerCase().replaceAll('_', '-') ?? 'utf-8';
}

function decoderOf(encoding: string): TextDecoder | null {
  try {
    return new TextDecoder(PYTHON_NAMES[encoding] ?? encoding.replace(/^cp(?=125\d$)/, 'windows-'), {
      fatal: true,
    });
  } catch {
    return null;
  }
}
