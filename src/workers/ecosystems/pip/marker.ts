import { satisfies, validRange } from '@renovatebot/pep440';

/** An environment marker of PEP 508. */
export type Marker =
  | { kind: 'and' | 'or'; left: Marker; right: Marker }
  | { kind: 'compare'; left: Operand; operator: string; right: Operand };

type Operand = { variable: string } | { literal: string };

/** Values of marker variables; one that is missing is not known. */
export type MarkerEnvironment = Partial<Record<string, string>>;

const VARIABLES = new Set([
  'python_version',
  'python_full_version',
  'os_name',
  'os.name',
  'sys_platform',
  'sys.platform',
  'platform_release',
  'platform_system',
  'platform_version',
  'platform.version',
  'platform_machine',
  'platform.machine',
  'platform_python_implementation',
  'platform.python_implementation',
  'python_implementation',
  'implementation_name',
  'implementation_version',
  'extra',
  'extras',
  'dependency_groups',
]);

const VERSION_VARIABLES = new Set(['python_version', 'python_full_version', 'implementation_version']);
const TOKEN = /\s*(?:(\(|\)|===|==|~=|!=|<=|>=|<|>)|("[^"]*"|'[^']*')|([A-Za-z_][A-Za-z0-9_.]*))/y;
const MAX_DEPTH = 50;

/** Throws an Error that says what is wrong. */
export function parseMarker(text: string): Marker {
  const tokens = tokenize(text);
  let at = 0;
  const peek = () => tokens[at];
  const parseOr = (depth: number): Marker => {
    let left = parseAnd(depth);
    while (peek() === 'or') {
      at++;
      left = { kind: 'or', left, right: parseAnd(depth) };
    }
    return left;
  };
  const parseAnd = (depth: number): Marker => {
    let left = parseOne(depth);
    while (peek() === 'and') {
      at++;
      left = { kind: 'and', left, right: parseOne(depth) };
    }
    return left;
  };
  const parseOne = (depth: number): Marker => {
    if (depth > MAX_DEPTH) throw new Error('the marker is nested too deeply');
    if (peek() !== '(') return parseComparison();
    at++;
    const inner = parseOr(depth + 1);
    if (tokens[at++] !== ')') throw new Error('a closing parenthesis is missing in the marker');
    return inner;
  };
  const parseComparison = (): Marker => {
    const left = operand(tokens[at++]);
    let operator = tokens[at++] ?? '';
    if (operator === 'not' && tokens[at] === 'in') {
      at++;
      operator = 'not in';
    }
    if (!/^(===|==|~=|!=|<=|>=|<|>|in|not in)$/.test(operator)) {
      throw new Error(`expected a marker operator, not ${operator === '' ? 'the end' : operator}`);
    }
    return { kind: 'compare', left, operator, right: operand(tokens[at++]) };
  };
  const marker = parseOr(0);
  if (at < tokens.length) throw new Error(`unexpected ${tokens[at]} in the marker`);
  return marker;
}

/** False only when the marker is false whatever the unknown variables are. */
export function mayApply(marker: Marker, environment: MarkerEnvironment): boolean {
  return evaluate(marker, environment) !== false;
}

function evaluate(marker: Marker, environment: MarkerEnvironment): boolean | null {
  if (marker.kind === 'compare') return compare(marker, environment);
  const left = evaluate(marker.left, environment);
  const right = evaluate(marker.right, environment);
  if (marker.kind === 'and') return left === false || right === false ? false : left && right;
  return left === true || right === true ? true : left === null || right === null ? null : false;
}

function compare(
  { left, operator, right }: Extract<Marker, { kind: 'compare' }>,
  environment: MarkerEnvironment,
): boolean | null {
  const [first, second] = [operandValue(left, environment), operandValue(right, environment)];
  if (first === null || second === null) return null;
  const isVersion = [left, right].some((one) => 'variable' in one && VERSION_VARIABLES.has(one.variable));
  if (isVersion && operator !== 'in' && operator !== 'not in') {
    const [version, other, sign] =
      'variable' in left ? [first, second, operator] : [second, first, mirrored(operator)];
    if (validRange(`${sign}${other}`)) return satisfies(version, `${sign}${other}`, { prereleases: true });
  }
  switch (operator) {
    case '==':
    case '===':
      return first === second;
    case '!=':
      return first !== second;
    case 'in':
      return second.includes(first);
    case 'not in':
      return !second.includes(first);
    case '<':
      return first < second;
    case '<=':
      return first <= second;
    case '>':
      return first > second;
    case '>=':
      return first >= second;
    default:
      return null;
  }
}

/** A requirements file installs no extras of anything. */
function operandValue(operand: Operand, environment: MarkerEnvironment): string | null {
  if ('literal' in operand) return operand.literal;
  if (operand.variable === 'extra') return '';
  return environment[operand.variable] ?? null;
}

function mirrored(operator: string): string {
  return operator.replace(/[<>]/, (sign) => (sign === '<' ? '>' : '<'));
}

function operand(token: string | undefined): Operand {
  if (token === undefined) throw new Error('the marker ends too early');
  if (token.startsWith('"') || token.startsWith("'")) return { literal: token.slice(1, -1) };
  if (!VARIABLES.has(token)) throw new Error(`${token} is not a marker variable`);
  return { variable: token.replace('.', '_') };
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const before = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`unexpected text in the marker: ${text.slice(before, before + 40).trim()}`);
    tokens.push(match[1] ?? match[2] ?? match[3]!);
  }
  if (tokens.length === 0) throw new Error('the marker is empty');
  return tokens;
}
