import { expect, test, vi } from 'vitest';
import { ticketAcceptor } from '../../../src/gateway/auth/kerberos.ts';

vi.mock('kerberos', () => {
  throw new Error('not compiled');
});

test('without the package the gateway says what is missing, and does not start', async () => {
  await expect(ticketAcceptor('HTTP@localhost')).rejects.toMatchObject({
    code: 'kerberos-missing',
    message: 'STOWAGE_KERBEROS_SERVICE needs the package "kerberos"',
    hint: expect.stringContaining('libkrb5-dev'),
  });
});
