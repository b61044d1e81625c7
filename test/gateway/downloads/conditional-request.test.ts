import { expect, test } from 'vitest';
import { type Selection, selectRange } from '../../../src/gateway/downloads/conditional-request.ts';

const ETAG = '"sha256:abc"';
const VALIDATORS = { etag: ETAG, lastModified: new Date('2021-07-07T18:02:35.123Z') };
const whole: Selection = { status: 200, range: { start: 0, end: 100 } };
const part = (start: number, end: number): Selection => ({ status: 206, range: { start, end } });

test.each<[string, Selection]>([
  ['bytes=0-0', part(0, 1)],
  ['bytes=0-99', part(0, 100)],
  ['bytes=0-', part(0, 100)],
  ['bytes=99-', part(99, 100)],
  ['bytes=99-100', part(99, 100)],
  ['bytes=10-19', part(10, 20)],
  ['BYTES=10-19', part(10, 20)],
  ['bytes= 10-19 ', part(10, 20)],
  ['bytes=010-0019', part(10, 20)],
  ['bytes=-1', part(99, 100)],
  ['bytes=-100', part(0, 100)],
  ['bytes=-101', part(0, 100)],
  [`bytes=5-${'9'.repeat(400)}`, part(5, 100)],
  [`bytes=-${'9'.repeat(400)}`, part(0, 100)],
  ['bytes=100-', { status: 416 }],
  ['bytes=100-200', { status: 416 }],
  ['bytes=-0', { status: 416 }],
  [`bytes=${'9'.repeat(400)}-`, { status: 416 }],
  ['bytes=9-3', whole],
  ['bytes=', whole],
  ['bytes=-', whole],
  ['bytes=1', whole],
  ['bytes=1-2-3', whole],
  ['bytes=--1', whole],
  ['bytes=1.5-2', whole],
  ['bytes=0x1-2', whole],
  ['bytes=+1-2', whole],
  ['bytes=0-1,3-4', whole],
  ['bytes=0-1,', whole],
  [`bytes=${'0-1,'.repeat(2000)}0-1`, whole],
  ['items=0-1', whole],
  ['0-1', whole],
  ['', whole],
])('range %#: %s', (range, expected) => {
  expect(selectRange('GET', { range }, VALIDATORS, 100)).toEqual(expected);
});

test('nothing can be a range of an empty file', () => {
  expect(selectRange('GET', {}, VALIDATORS, 0)).toEqual({ status: 200, range: { start: 0, end: 0 } });
  for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-5']) {
    expect(selectRange('GET', { range }, VALIDATORS, 0)).toEqual({ status: 416 });
  }
});

test.each([
  ['"a","b"', false],
  [`"a",${ETAG}`, true],
  [`W/"a" , ${ETAG}`, true],
  [`"a, ${ETAG.slice(1)}`, false],
  [ETAG.slice(1, -1), false],
  [' * ', true],
  ['"*"', false],
  ['', false],
  ['"'.repeat(10_001), false],
])('the list %s names the file: %s', (list, isNamed) => {
  expect(selectRange('GET', { 'if-none-match': list }, VALIDATORS, 100).status).toBe(isNamed ? 304 : 200);
  expect(selectRange('GET', { 'if-match': list }, VALIDATORS, 100).status).toBe(isNamed ? 200 : 412);
});

test('weak tags match for If-None-Match only', () => {
  expect(selectRange('GET', { 'if-none-match': `W/${ETAG}` }, VALIDATORS, 100).status).toBe(304);
  expect(selectRange('GET', { 'if-match': `W/${ETAG}` }, VALIDATORS, 100).status).toBe(412);
  expect(selectRange('GET', { 'if-range': `W/${ETAG}`, range: 'bytes=0-1' }, VALIDATORS, 100)).toEqual(whole);
});

test('preconditions come before ranges, and HEAD has no ranges', () => {
  const range = 'bytes=500-';
  expect(selectRange('GET', { range, 'if-none-match': ETAG }, VALIDATORS, 100)).toEqual({ status: 304 });
  expect(selectRange('GET', { range, 'if-match': '"x"' }, VALIDATORS, 100)).toEqual({ status: 412 });
  expect(selectRange('GET', { range, 'if-range': '"x"' }, VALIDATORS, 100)).toEqual(whole);
  expect(selectRange('GET', { range, 'if-range': ETAG }, VALIDATORS, 100)).toEqual({ status: 416 });
  expect(selectRange('HEAD', { range }, VALIDATORS, 100)).toEqual(whole);
});

test.each<[Record<string, string>, number]>([
  [{ 'if-modified-since': 'Wed, 07 Jul 2021 18:02:35 GMT' }, 304],
  [{ 'if-modified-since': 'Wed, 07 Jul 2021 18:02:36 GMT' }, 304],
  [{ 'if-modified-since': 'Wed, 07 Jul 2021 18:02:34 GMT' }, 200],
  [{ 'if-modified-since': 'yesterday' }, 200],
  [{ 'if-modified-since': 'Wed, 07 Jul 2021 18:02:35 GMT', 'if-none-match': '"x"' }, 200],
  [{ 'if-range': 'Wed, 07 Jul 2021 18:02:35 GMT', range: 'bytes=0-1' }, 200],
])('dates: %j', (headers, status) => {
  expect(selectRange('GET', headers, VALIDATORS, 100).status).toBe(status);
});

test('without a time of the last change no date matches', () => {
  const headers = { 'if-modified-since': 'Wed, 07 Jul 2100 18:02:35 GMT' };
  expect(selectRange('GET', headers, { etag: ETAG, lastModified: null }, 100)).toEqual(whole);
});
