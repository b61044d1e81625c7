import {
  type Copy,
  DockerfileParser,
  type Flag,
  type From,
  type Instruction,
  type Run,
} from 'dockerfile-ast';
import { BuildFailure } from '../../domain/images/build-failure.ts';

/** What a Dockerfile will do, known before it does it. */
export interface DockerfilePlan {
  /** Up to the one to build: builders build all of these. */
  stages: readonly Stage[];
  /** Images that it starts from or copies from, in its order, each once; stages and `scratch` are none. */
  baseImages: readonly BaseReference[];
  /** Whether it says what only images in docker's own format can hold. */
  needsDockerFormat: boolean;
  /** Line of the first here-document; null: it has none. */
  hereDocument: number | null;
  /** Its text with other names in the place of these, in the same lines. */
  withNames(names: ReadonlyMap<BaseReference, string>): string;
}

interface Stage {
  name: string | null;
  /** Lines of its instructions, from 1; the first is FROM. */
  lines: readonly number[];
}

export interface BaseReference {
  name: string;
  /** null: that of the build. */
  platform: string | null;
  line: number;
}

export interface PlanOptions {
  target: string | null;
  buildArguments: Readonly<Record<string, string>>;
  /** Variables that builders define for FROM: TARGETPLATFORM, BUILDARCH, ... */
  platformVariables: Readonly<Record<string, string>>;
}

interface Edit {
  start: number;
  end: number;
  reference: BaseReference | null;
}

/** Throws BuildFailure `dockerfile-invalid`. */
export function planDockerfile(text: string, options: PlanOptions): DockerfilePlan {
  const offsets = lineOffsets(text);
  const instructions = DockerfileParser.parse(text).getInstructions();
  const { globals, stages: all } = partition(instructions);
  const variables = globalVariables(globals, options);
  const stages = all.slice(0, targetIndex(all, options.target) + 1);
  const edits: Edit[] = [];
  const references: BaseReference[] = [];
  const use = (name: string, platform: string | null, line: number, range: [number, number]): void => {
    const known = references.find((one) => one.name === name && one.platform === platform);
    const reference = known ?? { name, platform, line };
    if (!known) references.push(reference);
    edits.push({ start: range[0], end: range[1], reference });
  };
  const at = ({ line, character }: { line: number; character: number }): number => offsets[line]! + character;

  for (const [index, { from, body }] of stages.entries()) {
    const isStage = (name: string, before: number): boolean =>
      stages.slice(0, before).some((stage) => stage.name === name.toLowerCase());
    const line = lineOf(from);
    const name = expand(from.getImage()!, variables, line);
    const range = from.getImageRange()!;
    if (name === '') throw invalid('FROM names no image: its variable is empty', line);
    const platform = from.getPlatformFlag()?.getValue();
    if (name !== 'scratch' && !isStage(name, index)) {
      use(name, platform ? expand(platform, variables, line) || null : null, line, [
        at(range.start),
        at(range.end),
      ]);
    }
    for (const instruction of body) {
      for (const flag of flagsOf(instruction)) {
        const value = flag.getValueRange();
        if (flag.getName() === 'link') {
          // Only how layers are kept, which is not ours to say.
          const whole = flag.getRange();
          edits.push({ start: at(whole.start), end: at(whole.end), reference: null });
          continue;
        }
        const source = value && sourceOf(flag);
        if (!source || isStage(source.name, index) || isStageIndex(source.name, index)) continue;
        const start = at(value.start) + source.offset;
        use(source.name, null, lineOf(instruction), [start, start + source.name.length]);
      }
    }
  }
  return {
    stages: stages.map(({ name, from, body }) => ({ name, lines: [from, ...body].map(lineOf) })),
    baseImages: references,
    hereDocument: firstHereDocument(stages),
    needsDockerFormat: stages.some(({ body }) => body.some((one) => DOCKER_ONLY.has(one.getKeyword()))),
    withNames: (names) => rewrite(text, edits, names),
  };
}

function firstHereDocument(stages: readonly ParsedStage[]): number | null {
  const found = stages.flatMap(({ body }) => body).find(hasHereDocument);
  return found === undefined ? null : lineOf(found);
}

function hasHereDocument(instruction: Instruction): boolean {
  const keyword = instruction.getKeyword();
  if (keyword !== 'RUN' && keyword !== 'COPY' && keyword !== 'ADD') return false;
  return (instruction as Copy | Run).getHeredocs().length > 0;
}

const DOCKER_ONLY = new Set(['HEALTHCHECK', 'ONBUILD', 'SHELL']);
/** FROM is looked at by itself; the others take something back by saying nothing. */
const MAY_BE_EMPTY = new Set(['FROM', 'CMD', 'ENTRYPOINT']);
const KEYWORDS = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
);

interface ParsedStage {
  /** In lower case: names of stages are not told apart by case. */
  name: string | null;
  from: From;
  body: Instruction[];
}

function partition(instructions: readonly Instruction[]): { globals: Instruction[]; stages: ParsedStage[] } {
  const globals: Instruction[] = [];
  const stages: ParsedStage[] = [];
  for (const instruction of instructions) {
    const keyword = instruction.getKeyword();
    const line = lineOf(instruction);
    if (!KEYWORDS.has(keyword)) throw invalid(`unknown instruction: ${instruction.getInstruction()}`, line);
    requireArguments(instruction);
    if (keyword === 'FROM') {
      const from = instruction as From;
      if (from.getImage() === null) throw invalid('FROM names no image', line);
      stages.push({ name: from.getBuildStage()?.toLowerCase() ?? null, from, body: [] });
    } else if (stages.length > 0) stages.at(-1)!.body.push(instruction);
    else if (keyword === 'ARG') globals.push(instruction);
    else throw invalid(`${keyword} comes before the first FROM`, line);
  }
  if (stages.length === 0) throw invalid('it has no FROM', null);
  return { globals, stages };
}

/** Builders say it in words of their own, or not at all. */
function requireArguments(instruction: Instruction): void {
  const keyword = instruction.getKeyword();
  const strings = keyword === 'COPY' || keyword === 'ADD' ? (instruction as Copy).getJSONStrings().length : 0;
  const count = strings || instruction.getArguments().length;
  const least = keyword === 'COPY' || keyword === 'ADD' ? 2 : 1;
  if (MAY_BE_EMPTY.has(keyword) || count >= least) return;
  const problem = count === 0 ? 'nothing behind it' : 'no destination';
  throw invalid(`${keyword} has ${problem}`, lineOf(instruction));
}

function targetIndex(stages: readonly ParsedStage[], target: string | null): number {
  if (target === null) return stages.length - 1;
  const index = stages.findIndex(({ name }) => name === target.toLowerCase());
  if (index >= 0) return index;
  if (/^\d+$/.test(target) && Number(target) < stages.length) return Number(target);
  throw invalid(`it has no stage "${target}"`, null);
}

/** ARG before the first FROM, with what the build gives for them. */
function globalVariables(globals: readonly Instruction[], options: PlanOptions): Map<string, string> {
  const variables = new Map(Object.entries(options.platformVariables));
  for (const instruction of globals) {
    for (const argument of instruction.getArguments()) {
      const [, name, value] = /^([^=]+)(?:=(.*))?$/s.exec(argument.getValue()) ?? [];
      if (name === undefined) continue;
      const given = Object.hasOwn(options.buildArguments, name) ? options.buildArguments[name] : undefined;
      const fallback =
        value === undefined ? undefined : expand(unquoted(value), variables, lineOf(instruction));
      const chosen = given ?? fallback;
      if (chosen !== undefined) variables.set(name, chosen);
    }
  }
  return variables;
}

function unquoted(value: string): string {
  return (
    /^"(.*)"$|^'(.*)'$/s
      .exec(value)
      ?.slice(1)
      .find((part) => part !== undefined) ?? value
  );
}

/** `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`. */
function expand(text: string, variables: ReadonlyMap<string, string>, line: number): string {
  const expanded = text.replaceAll(
    /\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/g,
    (_, plain: string | undefined, braced: string | undefined, operator: string | undefined, word = '') => {
      const value = variables.get(plain ?? braced!) ?? '';
      if (operator === '-') return value || word;
      if (operator === '+') return value && word;
      return value;
    },
  );
  if (expanded.includes('$')) throw invalid(`"${text}" cannot be expanded`, line);
  return unquoted(expanded);
}

function flagsOf(instruction: Instruction): Flag[] {
  const keyword = instruction.getKeyword();
  if (keyword !== 'COPY' && keyword !== 'ADD' && keyword !== 'RUN') return [];
  return (instruction as Copy | Run).getFlags();
}

/** The image or stage that `--from=` or `--mount=…,from=` names, and where in the value it stands. */
function sourceOf(flag: Flag): { name: string; offset: number } | null {
  const value = flag.getValue() ?? '';
  if (flag.getName() === 'from') return value === '' ? null : { name: value, offset: 0 };
  if (flag.getName() !== 'mount') return null;
  const found = /(^|,)(from=)([^,]+)/.exec(value);
  return found && { name: found[3]!, offset: found.index + found[1]!.length + found[2]!.length };
}

function isStageIndex(name: string, before: number): boolean {
  return /^\d+$/.test(name) && Number(name) < before;
}

function rewrite(text: string, edits: readonly Edit[], names: ReadonlyMap<BaseReference, string>): string {
  let rewritten = text;
  for (const { start, end, reference } of [...edits].sort((one, other) => other.start - one.start)) {
    const name = reference === null ? '' : names.get(reference);
    if (name !== undefined) rewritten = rewritten.slice(0, start) + name + rewritten.slice(end);
  }
  return rewritten;
}

function lineOffsets(text: string): number[] {
  return [0, ...[...text.matchAll(/\r\n|\n|\r/g)].map(({ index, 0: end }) => index + end.length)];
}

function lineOf(instruction: Instruction): number {
  return instruction.getRange().start.line + 1;
}

function invalid(problem: string, line: number | null): BuildFailure {
  const where = line === null ? '' : ` in line ${line}`;
  return new BuildFailure('dockerfile-invalid', `The Dockerfile is not valid${where}: ${problem}`, {
    ...(line !== null && { line }),
  });
}
