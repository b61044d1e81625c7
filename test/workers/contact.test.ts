import { expect, test } from 'vitest';
import { Contact } from '../../src/workers/contact.ts';

test('contact lasts from the end of the last gap; before the first one it was always there', () => {
  let now = 1_000_000;
  const contact = new Contact(8_000, () => now);
  const lasted = (afterMs: number): boolean => {
    now += afterMs;
    contact.made();
    return contact.hasLasted(15_000);
  };
  expect([0, 4_000, 8_000, 8_001, 8_000, 6_999, 1].map(lasted)).toEqual([
    ...[true, true, true, false, false, false, true],
  ]);
});
