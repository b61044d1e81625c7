import { depthChange, type Literal, literalOf, splitAtCommas } from './python-literal.ts';
import { parseModule, type Statement, statementsOf, valueBefore } from './python-module.ts';
import type { Token } from './python-tokens.ts';

export interface StaticMetadata {
  name: string | null;
  version: string | null;
}

/**
 * Name and version in the first `setup(…)` or `setuptools.setup(…)` call: literals, or names that were given a literal
 * earlier on the same branch of blocks (prefetch.md 5.1). Throws PythonSyntaxError.
 */
export function parseSetupPy(source: string): StaticMetadata {
  for (const statement of statementsOf(parseModule(source))) {
    const call = findSetupCall(statement.tokens);
    if (!call) continue;
    return { name: argument(call, 'name', statement), version: argument(call, 'version', statement) };
  }
  return { name: null, version: null };
}

/** The tokens between the parentheses of the call. */
function findSetupCall(tokens: readonly Token[]): Token[] | null {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'name' || token.text !== 'setup' || tokens[index + 1]?.text !== '(') continue;
    const [owner, before] = [tokens[index - 2], tokens[index - 1]];
    if (before?.text === 'def') continue;
    if (before?.text === '.' && !(owner?.text === 'setuptools' && tokens[index - 3]?.text !== '.')) continue;
    return untilClosed(tokens.slice(index + 2));
  }
  return null;
}

function untilClosed(tokens: readonly Token[]): Token[] {
  let depth = 1;
  const end = tokens.findIndex((token) => {
    depth += depthChange(token);
    return depth === 0;
  });
  return tokens.slice(0, end < 0 ? tokens.length : end);
}

function argument(call: readonly Token[], name: string, statement: Statement): string | null {
  for (const part of splitAtCommas(call)) {
    const [keyword, equals, ...value] = part;
    if (keyword?.kind !== 'name' || keyword.text !== name || equals?.text !== '=') continue;
    const [only] = value;
    const literal =
      value.length === 1 && only!.kind === 'name' ? valueBefore(statement, only!.text) : literalOf(value);
    return textOf(literal);
  }
  return null;
}

function textOf(literal: Literal | null | undefined): string | null {
  if (typeof literal === 'number') return String(literal);
  return typeof literal === 'string' ? literal : null;
}
