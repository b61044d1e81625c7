import type { LookupFunction } from 'node:net';
import { expect, test } from 'vitest';
import {
  assertPublicHost,
  assertPublicLiteral,
  isPublicAddress,
  publicLookup,
} from '../../../src/workers/downloads/address-policy.ts';

test.each([
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::127.0.0.1',
  '::8.8.8.8',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:10.0.0.1',
  '::ffff:0:10.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::8.8.8.8',
  '100::1',
  '2001::1',
  '2001:10::1',
  '2001:2::1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  '4000::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  '',
  'localhost',
  '127.1',
  '0x7f000001',
  '2130706433',
  '8.8.8.8.example',
])('%s is not public', (ip) => {
  expect(isPublicAddress(ip)).toBe(false);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.1',
  '168.63.129.17',
  '172.15.255.255',
  '172.32.0.1',
  '192.0.2.1',
  '198.51.100.7',
  '203.0.113.9',
  '223.255.255.255',
  '2001:200::1',
  '2001:db8::1',
  '2606:4700:4700::1111',
  '2a00:1450:4001:81b::200e',
  '::ffff:8.8.8.8',
  '::ffff:808:808',
  '64:ff9b::8.8.8.8',
  '2002:808:808::1',
])('%s is public', (ip) => {
  expect(isPublicAddress(ip)).toBe(true);
});

const answering =
  (...addresses: string[]): LookupFunction =>
  (_host, options, callback) => {
    const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all) callback(null, all);
    else callback(null, addresses[0]!, 4);
  };

test('a host is public when all its addresses are, and they are returned for pinning', async () => {
  expect(await assertPublicHost('a.example', undefined, answering('192.0.2.1', '2001:db8::1'))).toEqual([
    { address: '192.0.2.1', family: 4 },
    { address: '2001:db8::1', family: 6 },
  ]);
});

test.each([[['10.0.0.1']], [['192.0.2.1', '::1']], [[]]])('refuses a host at %j', async (addresses) => {
  await expect(assertPublicHost('a.example', undefined, answering(...addresses))).rejects.toMatchObject({
    code: 'fetch-failed',
    origin: 'client',
    message: 'The host a.example is not on a public network',
  });
});

test.each(['127.0.0.1', '[::1]', '::1', 'localhost', '127.1', '0x7f.1', '2130706433'])(
  'refuses %s by the system’s own lookup',
  async (host) => {
    await expect(assertPublicHost(host)).rejects.toMatchObject({ code: 'fetch-failed' });
  },
);

test('an unknown host is a network error', async () => {
  const lookup: LookupFunction = (_host, _options, callback) =>
    callback(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), '');
  await expect(assertPublicHost('a.example', undefined, lookup)).rejects.toMatchObject({
    origin: 'server',
    message: 'Could not resolve the host a.example: ENOTFOUND',
  });
});

test('a lookup that hangs ends with the signal', async () => {
  const controller = new AbortController();
  const waiting = assertPublicHost('a.example', controller.signal, () => undefined);
  controller.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  await expect(assertPublicHost('a.example', controller.signal)).rejects.toThrow('cancelled');
});

test.each([true, false])('the lookup for sockets checks what it hands out (all: %s)', (all) => {
  const seen: unknown[] = [];
  publicLookup(answering('10.0.0.1'))('a.example', { all }, (error) => seen.push(error?.message));
  publicLookup(answering('192.0.2.1'))('a.example', { all }, (error, address) => seen.push(error, address));
  expect(seen).toEqual([
    'The host a.example is not on a public network',
    null,
    all ? [{ address: '192.0.2.1', family: 4 }] : '192.0.2.1',
  ]);
});

test('literal addresses are checked without a lookup', () => {
  expect(() => assertPublicLiteral('127.0.0.1')).toThrow('The host 127.0.0.1 is not on a public network');
  expect(() => assertPublicLiteral('[fd00::1]')).toThrow('is not on a public network');
  assertPublicLiteral('192.0.2.1');
  assertPublicLiteral('a.example');
});
