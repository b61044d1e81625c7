import { expect, test } from 'vitest';
import { secretMask } from '../../../src/workers/tasks/secret-mask.ts';

const mask = secretMask(
  {
    token: 'hunter2-token',
    key: 'BEGIN KEY\nfirst line of it\r\nabc\nlast line\n',
    short: 'hunt',
    long: 'pässword'.repeat(9000),
  },
  (text) => text.replaceAll('user:pass', '***:***'),
);

test.each([
  ['log in with hunter2-token', 'log in with ***'],
  ['hunter2-tokenhunter2-token', '******'],
  ['BEGIN KEY\nfirst line of it', '***\n***'],
  ['a hunt', 'a ***'],
  ['abc', 'abc'],
  ['https://user:pass@registry.example/', 'https://***:***@registry.example/'],
  // Of a line that was cut.
  ['cut: hunter2-to […line cut]', 'cut: *** […line cut]'],
  ['cut: first […line cut]', 'cut: *** […line cut]'],
  ['cut: fir […line cut]', 'cut: fir […line cut]'],
  ['"RUN login first line of…" in line 2 failed: hunter2…', '"RUN login ***…" in line 2 failed: ***…'],
  ['loading… done', 'loading… done'],
  [`${'pässword'.repeat(2000)}p\u{fffd} […line cut]`, '***\u{fffd} […line cut]'],
])('%s', (text, masked) => {
  expect(mask(text)).toBe(masked);
});
