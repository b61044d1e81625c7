import type { OpenapiSchema } from '../../src/gateway/rest/cachito/openapi-document.ts';

/** A generator of numbers that gives the same ones for the same seed (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  is(chance: number): boolean {
    return this.next() < chance;
  }
}

/** What nobody has thought of. */
export const HOSTILE_TEXTS = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\uffff',
  '🚢'.repeat(20),
  '../../etc/passwd',
  "'; drop table bundle_requests; --",
  '%s%n',
  '__proto__',
  'constructor',
  'null',
  'NaN',
  '1e400',
  '-0',
  '0x10',
  '9'.repeat(400),
  '٣',
  'a'.repeat(5_000),
  '\r\nx: y',
  '<script>',
];

const HOSTILE_VALUES = [null, true, -1, 0, 1.5, 1e308, 2 ** 53, [], {}, [[]], { a: null }, ...HOSTILE_TEXTS];

/** Values that fit a schema, most of the time; `schemas` are what references lead to. */
export class Values {
  readonly #dice: Dice;
  readonly #schemas: Record<string, OpenapiSchema>;
  readonly #hostility: number;

  constructor(dice: Dice, schemas: Record<string, OpenapiSchema>, hostility: number) {
    this.#dice = dice;
    this.#schemas = schemas;
    this.#hostility = hostility;
  }

  of(schema: OpenapiSchema): unknown {
    const dice = this.#dice;
    if (dice.is(this.#hostility)) return dice.of(HOSTILE_VALUES);
    if (schema.$ref !== undefined) return this.of(this.#schemas[schema.$ref.split('/').at(-1)!]!);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return dice.of(schema.enum);
    if (schema.anyOf) return this.of(dice.of(schema.anyOf));
    switch ([schema.type].flat()[0]) {
      case 'object':
        return this.#object(schema);
      case 'array':
        return Array.from({ length: dice.below(4) }, () => this.of(schema.items ?? {}));
      case 'integer':
        return dice.of([0, 1, 2, 3, 100, 2 ** 31 - 1, 2 ** 31]);
      case 'boolean':
        return dice.is(0.5);
      default:
        return this.#text(schema);
    }
  }

  #object({ properties = {}, required = [], additionalProperties }: OpenapiSchema): object {
    const dice = this.#dice;
    const members: [string, unknown][] = [];
    for (const [key, value] of Object.entries(properties)) {
      const chance = required.includes(key) ? 1 - this.#hostility : 0.5;
      if (dice.is(chance)) members.push([key, this.of(value)]);
    }
    if (typeof additionalProperties === 'object') {
      for (let count = dice.below(3); count > 0; count--) {
        members.push([dice.of(['A', 'B', ...HOSTILE_TEXTS]), this.of(additionalProperties)]);
      }
    }
    if (dice.is(this.#hostility)) members.push([dice.of(HOSTILE_TEXTS), dice.of(HOSTILE_VALUES)]);
    return Object.fromEntries(members);
  }

  #text(schema: OpenapiSchema & { pattern?: string; format?: string }): string {
    const dice = this.#dice;
    if (schema.format === 'date')
      return dice.of(['2021-07-07', '2024-02-29', '2023-02-29', '0001-01-01', '9999-12-31']);
    if (schema.pattern?.includes('a-f0-9')) return dice.of(['a', 'b', 'c']).repeat(40);
    if (schema.pattern?.includes('T')) {
      return dice.of([
        '2021-07-07T18:02:35',
        '2021-07-07T18:02:35.123456Z',
        '0001-01-01T00:00+14:00',
        '9999-12-31T23:59-14:00',
      ]);
    }
    return dice.of(['.', 'app', 'org/app', 'https://git.example/org/app.git', '1', '1,2', '3,4,5', 'ü']);
  }
}
