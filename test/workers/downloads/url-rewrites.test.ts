import { expect, test } from 'vitest';
import { rewriteUrl } from '../../../src/workers/downloads/url-rewrites.ts';

const rewrites = [
  { prefix: 'https://files.example/', replacement: 'http://mirror.example/files/' },
  { prefix: 'https://files.example/deep/', replacement: 'http://deep.example/' },
  { prefix: 'https://files.example/de', replacement: 'http://short.example/' },
];

test.each([
  ['https://files.example/a.tgz', 'http://mirror.example/files/a.tgz'],
  ['https://files.example/deep/a.tgz', 'http://deep.example/a.tgz'],
  ['https://files.example/den', 'http://short.example/n'],
  ['http://files.example/a.tgz', null],
  ['https://other.example/', null],
])('rewrites %s to %s', (url, expected) => {
  expect(rewriteUrl(url, rewrites)).toBe(expected);
});
