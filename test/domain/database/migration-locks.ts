import { withoutComments } from '../../../src/domain/database/migrate.ts';

/**
 * What a migration must not do while processes of the release before serve (docs/operations.md, Upgrades). `unless`: in
 * its own tables anything goes; `locks:` or `contract:` in the comment before a statement says why it may.
 */
interface Rule {
  pattern: RegExp;
  problem: string;
  word: 'locks' | 'contract';
}

const RULES: readonly Rule[] = [
  {
    pattern: /\bcreate\s+(unique\s+)?index\s+(?!concurrently\b)/i,
    problem: 'an index of a table that others write to is made concurrently',
    word: 'locks',
  },
  {
    pattern: /\bdrop\s+index\s+(?!concurrently\b)/i,
    problem: 'an index is dropped concurrently',
    word: 'locks',
  },
  {
    pattern: /\balter\s+column\s+\w+\s+(set\s+data\s+)?type\b/i,
    problem: 'a column of another type is written anew, row by row',
    word: 'contract',
  },
  {
    pattern: /\badd\s+column\b[^,;]*\bnot\s+null\b(?![^,;]*\bdefault\b)(?<!\bdefault\b[^,;]*)/i,
    problem: 'processes of the release before give the column no value',
    word: 'contract',
  },
  {
    pattern:
      /\badd\s+column\b[^,;]*\b(default\s+\(?(clock_timestamp|random|gen_random_uuid|nextval|\w+_random\w*)|generated\s)/i,
    problem: 'a value for each row is written at once, row by row',
    word: 'locks',
  },
  {
    pattern: /\badd\s+(constraint\s+\w+\s+)?(check|foreign\s+key)\b(?![\s\S]*\bnot\s+valid\b)/i,
    problem: 'a constraint is added "not valid", and validated by a statement of its own',
    word: 'locks',
  },
  {
    pattern: /\badd\s+(constraint\s+\w+\s+)?(unique|primary\s+key)\b(?!\s+using\s+index)/i,
    problem: 'a unique index is made concurrently first, and used for the constraint',
    word: 'locks',
  },
  {
    pattern: /\bset\s+not\s+null\b/i,
    problem: 'all rows are looked at, and processes of the release before may write others',
    word: 'contract',
  },
  {
    pattern: /\bdrop\s+(table|column|constraint|function|type|trigger)\b/i,
    problem: 'processes of the release before may still need it',
    word: 'contract',
  },
  {
    pattern: /\brename\b/i,
    problem: 'processes of the release before know it by its name',
    word: 'contract',
  },
  {
    pattern: /^\s*(update|delete\s+from)\b|\binsert\s+into\b[\s\S]*\bselect\b/i,
    problem: 'rows that others work on are changed',
    word: 'locks',
  },
  {
    pattern: /^\s*(lock\s+table|vacuum\s+full|cluster|reindex(?!.*concurrently)|refresh|truncate)\b/i,
    problem: 'everybody else has to wait',
    word: 'locks',
  },
];

/** Sentences, each with the statement that it is about. */
export function lockProblems(text: string): string[] {
  const own = new Set(
    [...text.matchAll(/^create\s+table\s+(?:if\s+not\s+exists\s+)?(\w+)/gim)].map((match) => match[1]!),
  );
  return statements(text).flatMap((statement) => {
    const code = withoutComments(statement).trim();
    const [, table = ''] =
      /^(?:alter\s+table|create\s+.*?index\s+.*?\bon|insert\s+into|update|delete\s+from)\s+(?:only\s+)?(\w+)/is.exec(
        code,
      ) ?? [];
    if (own.has(table)) return [];
    return RULES.filter(
      ({ pattern, word }) => pattern.test(code) && !new RegExp(`^\\s*-- .*${word}: \\S`, 'm').test(statement),
    ).map(({ problem }) => `${code.split('\n')[0]}: ${problem}`);
  });
}

/** With the comments before them; what stands between `$$` is part of one. */
function statements(text: string): string[] {
  const parts = text.split('$$');
  const marked = parts.map((part, index) => (index % 2 === 0 ? part.replace(/;[ \t]*$/gm, ';\u0000') : part));
  return marked
    .join('$$')
    .split('\u0000')
    .filter((statement) => withoutComments(statement).trim() !== '');
}
