import { depthChange, type Literal, literalOf } from './python-literal.ts';
import { type Token, tokenize } from './python-tokens.ts';

/** Python source as nested blocks of statements. Nothing of it is ever executed. */
export interface Block {
  statements: Statement[];
  /** The statement that the block belongs to; null for the module. */
  owner: Statement | null;
}

export interface Statement {
  tokens: Token[];
  block: Block;
  /** Position in its block. */
  index: number;
  body: Block | null;
}

const COMPOUND = new Set([
  'if',
  'elif',
  'else',
  'for',
  'while',
  'try',
  'except',
  'finally',
  'with',
  'def',
  'class',
  'async',
  'match',
  'case',
]);

/** Throws PythonSyntaxError. */
export function parseModule(source: string): Block {
  const module: Block = { statements: [], owner: null };
  let block = module;
  let pending: Token[] = [];
  const add = (tokens: Token[]) => {
    if (tokens.length === 0) return;
    block.statements.push({ tokens, block, index: block.statements.length, body: null });
  };
  for (const token of tokenize(source)) {
    if (token.kind === 'newline') {
      for (const tokens of simpleStatements(pending)) add(tokens);
      pending = [];
    } else if (token.kind === 'indent') {
      const owner = block.statements.at(-1) ?? null;
      const inner: Block = { statements: [], owner };
      // An indented first line has no owner: it stays where it is.
      if (owner) {
        owner.body = inner;
        block = inner;
      }
    } else if (token.kind === 'dedent') {
      block = block.owner?.block ?? module;
    } else {
      pending.push(token);
    }
  }
  return module;
}

/** All statements in the order of the source. */
export function* statementsOf(module: Block): Generator<Statement> {
  const stack = [...module.statements].reverse();
  for (let statement = stack.pop(); statement; statement = stack.pop()) {
    yield statement;
    if (statement.body) stack.push(...[...statement.body.statements].reverse());
  }
}

/** The value that a statement gives to a name: undefined when it gives none, null when it is not a literal. */
export function assignedValue(statement: Statement, name: string): Literal | null | undefined {
  const parts = splitAtEquals(statement.tokens);
  const targets = parts.slice(0, -1);
  if (targets.some((target) => isTarget(target, name))) return literalOf(parts.at(-1)!) ?? null;
  return targets.some((target) => mentions(target, name)) ? null : undefined;
}

/** What a name stands for at a statement: looked up before it, in its block and in the blocks around it. */
export function valueBefore(statement: Statement, name: string): Literal | null {
  for (let at: Statement | null = statement; at; at = at.block.owner) {
    for (let index = at.index - 1; index >= 0; index--) {
      const value = assignedValue(at.block.statements[index]!, name);
      if (value !== undefined) return value;
    }
  }
  return null;
}

function simpleStatements(tokens: Token[]): Token[][] {
  if (COMPOUND.has(tokens[0]?.text ?? '')) return [tokens];
  const statements: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    depth += depthChange(token);
    if (depth === 0 && token.kind === 'operator' && token.text === ';') statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements;
}

/** `a = b = value` in three parts; `a += value` in two. */
function splitAtEquals(tokens: readonly Token[]): Token[][] {
  if (tokens[0]?.kind !== 'name' && tokens[0]?.text !== '(') return [];
  if (COMPOUND.has(tokens[0].text)) return [];
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    depth += depthChange(token);
    const isAssignment = token.kind === 'operator' && /^([-+*/%@&|^]|\*\*|\/\/|>>|<<)?=$/.test(token.text);
    if (depth === 0 && isAssignment) {
      // An augmented assignment changes the name to what only running tells.
      if (token.text !== '=') parts.at(-1)!.push(token);
      parts.push([]);
    } else parts.at(-1)!.push(token);
  }
  return parts;
}

/** `name` or `name: annotation`. */
function isTarget(tokens: readonly Token[], name: string): boolean {
  const [first, second] = tokens;
  return first?.kind === 'name' && first.text === name && (second === undefined || second.text === ':');
}

/** `a, b = …` and `a += …`; but not `a.b = …` and `a[b] = …`. */
function mentions(tokens: readonly Token[], name: string): boolean {
  return tokens.some(
    (token, index) =>
      token.kind === 'name' &&
      token.text === name &&
      !['.', '[', ':'].includes(tokens[index + 1]?.text ?? '') &&
      !['.', '['].includes(tokens[index - 1]?.text ?? ''),
  );
}
