/** The tokens of Python source, as far as reading assignments and calls needs them. */
export type Token =
  | { kind: 'name' | 'number' | 'operator'; text: string }
  /** `value` is null when it is not known without running code (f-strings) or is no text (bytes). */
  | { kind: 'string'; text: string; value: string | null }
  /** End of a logical line, and changes of indentation before the next one. */
  | { kind: 'newline' | 'indent' | 'dedent'; text: '' };

class PythonSyntaxError extends Error {}

const TAB = 8;
const BLANKS = /[ \t\f]*/y;
const NAME = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
const NUMBER = /(?:0[xXoObB][0-9a-fA-F_]+|(?:\d[\d_]*)?\.?\d[\d_]*\.?(?:[eE][+-]?\d[\d_]*)?[jJ]?)/y;
const STRING_START = /([A-Za-z]{0,2})("""|'''|"|')/y;
const OPERATOR =
  /\*\*=|\/\/=|>>=|<<=|\.\.\.|\*\*|\/\/|>>|<<|<=|>=|==|!=|->|:=|[-+*/%@&|^]=|[-+*/%@&|^~<>()[\]{},:.;=!]/y;
const LINE_END = /[\r\n]/g;
const OPENING = new Set(['(', '[', '{']);
const CLOSING = new Set([')', ']', '}']);

/** Throws PythonSyntaxError for strings that do not end and for characters that start nothing. */
export function tokenize(source: string): Token[] {
  const text = source.replace(/^\uFEFF/, '');
  const tokens: Token[] = [];
  const indents = [0];
  let at = 0;
  let brackets = 0;
  let atLineStart = true;
  while (at < text.length) {
    if (atLineStart && brackets === 0) {
      const line = startLine(text, at);
      at = line.at;
      if (line.width === null) continue;
      indentTo(line.width, indents, tokens);
      atLineStart = false;
    }
    at = skip(BLANKS, text, at);
    const character = text[at];
    if (character === undefined) break;
    if (character === '#') {
      at = endOfLine(text, at);
    } else if (character === '\n' || character === '\r') {
      at += text.startsWith('\r\n', at) ? 2 : 1;
      if (brackets > 0) continue;
      tokens.push({ kind: 'newline', text: '' });
      atLineStart = true;
    } else if (character === '\\' && /[\r\n]/.test(text[at + 1] ?? '')) {
      at += text.startsWith('\r\n', at + 1) ? 3 : 2;
    } else {
      const { token, end } = readToken(text, at);
      if (OPENING.has(token.text)) brackets++;
      if (CLOSING.has(token.text)) brackets = Math.max(0, brackets - 1);
      tokens.push(token);
      at = end;
    }
  }
  tokens.push({ kind: 'newline', text: '' });
  for (let depth = 1; depth < indents.length; depth++) tokens.push({ kind: 'dedent', text: '' });
  return tokens;
}

/** The width of a line's indentation; null for lines with no code. */
function startLine(text: string, at: number): { at: number; width: number | null } {
  let width = 0;
  let end = at;
  for (; text[end] === ' ' || text[end] === '\t' || text[end] === '\f'; end++) {
    width = text[end] === '\t' ? (Math.floor(width / TAB) + 1) * TAB : text[end] === '\f' ? 0 : width + 1;
  }
  const character = text[end];
  if (character === undefined) return { at: end, width: null };
  if (character === '#') return { at: pastLineEnd(text, endOfLine(text, end)), width: null };
  if (character === '\r' || character === '\n') return { at: pastLineEnd(text, end), width: null };
  return { at: end, width };
}

function indentTo(width: number, indents: number[], tokens: Token[]): void {
  if (width > indents.at(-1)!) {
    indents.push(width);
    tokens.push({ kind: 'indent', text: '' });
  }
  while (width < indents.at(-1)!) {
    indents.pop();
    tokens.push({ kind: 'dedent', text: '' });
  }
}

function readToken(text: string, at: number): { token: Token; end: number } {
  STRING_START.lastIndex = at;
  const string = STRING_START.exec(text);
  if (string && /^(?:[rbuft]|[bft]r|r[bft])?$/i.test(string[1]!)) {
    return readString(text, at, string[1]!.toLowerCase(), string[2]!);
  }
  for (const [kind, pattern] of [
    ['name', NAME],
    ['number', NUMBER],
    ['operator', OPERATOR],
  ] as const) {
    const end = skip(pattern, text, at);
    if (end > at) return { token: { kind, text: text.slice(at, end) }, end };
  }
  // `$`, `?` and the like: no Python, but nothing that needs to stop the reading.
  return { token: { kind: 'operator', text: text[at]! }, end: at + 1 };
}

function readString(text: string, at: number, prefix: string, quote: string): { token: Token; end: number } {
  const start = at + prefix.length + quote.length;
  let end = start;
  for (;;) {
    const character = text[end];
    if (character === undefined || (quote.length === 1 && (character === '\n' || character === '\r'))) {
      throw new PythonSyntaxError(`a string does not end: ${text.slice(at, at + 40)}`);
    }
    if (character === '\\') end += text.startsWith('\r\n', end + 1) ? 3 : 2;
    else if (text.startsWith(quote, end)) break;
    else end++;
  }
  const body = text.slice(start, end);
  const isKnown = !/[bft]/.test(prefix);
  const value = !isKnown ? null : prefix.includes('r') ? body : withoutEscapes(body);
  end += quote.length;
  return { token: { kind: 'string', text: text.slice(at, end), value }, end };
}

const ESCAPES: Record<string, string> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function withoutEscapes(body: string): string {
  return body.replace(
    /\\(?:(\r\n|\r|\n)|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\\'"abfnrtv]))/g,
    (whole, lineEnd, octal, byte, short, long, simple) => {
      if (lineEnd !== undefined) return '';
      if (simple !== undefined) return ESCAPES[simple as string]!;
      const hex = (byte ?? short ?? long) as string | undefined;
      const code = hex === undefined ? Number.parseInt(octal as string, 8) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function endOfLine(text: string, at: number): number {
  LINE_END.lastIndex = at;
  return LINE_END.exec(text)?.index ?? text.length;
}

function pastLineEnd(text: string, at: number): number {
  return at + (text.startsWith('\r\n', at) ? 2 : 1);
}
