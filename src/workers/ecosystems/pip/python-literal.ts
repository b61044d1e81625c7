import { type Token, tokenize } from './python-tokens.ts';

/** What a literal expression stands for; numbers as they are written. */
export type Literal = string | number | Literal[];

const MAX_DEPTH = 20;

/** The value of literal source text; undefined for anything that is not a literal. */
export function parseLiteral(source: string): Literal | undefined {
  try {
    return literalOf(tokenize(source).filter(({ kind }) => kind !== 'newline'));
  } catch {
    return undefined;
  }
}

/** Strings (also several in a row), numbers, tuples and lists of them. */
export function literalOf(tokens: readonly Token[], depth = 0): Literal | undefined {
  const [first] = tokens;
  if (!first || depth > MAX_DEPTH) return undefined;
  if (first.kind === 'string') {
    let text = '';
    for (const token of tokens) {
      if (token.kind !== 'string' || token.value === null) return undefined;
      text += token.value;
    }
    return text;
  }
  if (first.kind === 'number') {
    const number = Number(first.text.replaceAll('_', ''));
    return tokens.length === 1 && Number.isFinite(number) ? number : undefined;
  }
  const closing = first.text === '(' ? ')' : first.text === '[' ? ']' : null;
  if (closing !== null && tokens.at(-1)!.text === closing && enclosesAll(tokens)) {
    const inner = tokens.slice(1, -1);
    if (closing === ')' && inner.length > 0 && !hasComma(inner)) return literalOf(inner, depth + 1);
    return listOf(inner, depth);
  }
  return hasComma(tokens) ? listOf(tokens, depth) : undefined;
}

/** Splits at commas outside brackets; an empty last part is dropped. */
export function splitAtCommas(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    depth += depthChange(token);
    if (depth === 0 && token.kind === 'operator' && token.text === ',') parts.push([]);
    else parts.at(-1)!.push(token);
  }
  if (parts.at(-1)!.length === 0) parts.pop();
  return parts;
}

/** +1 for an opening bracket, -1 for a closing one. */
export function depthChange({ kind, text }: Token): number {
  if (kind !== 'operator') return 0;
  return text === '(' || text === '[' || text === '{'
    ? 1
    : text === ')' || text === ']' || text === '}'
      ? -1
      : 0;
}

function listOf(tokens: readonly Token[], depth: number): Literal[] | undefined {
  const items = splitAtCommas(tokens).map((part) => literalOf(part, depth + 1));
  return items.includes(undefined) ? undefined : (items as Literal[]);
}

function hasComma(tokens: readonly Token[]): boolean {
  let depth = 0;
  return tokens.some((token) => {
    depth += depthChange(token);
    return depth === 0 && token.kind === 'operator' && token.text === ',';
  });
}

/** Whether the first bracket is closed by the last token: not so in `(1) + (2)`. */
function enclosesAll(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    depth += depthChange(token);
    if (depth === 0) return index === tokens.length - 1;
  }
  return false;
}
