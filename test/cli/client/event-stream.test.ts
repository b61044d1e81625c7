import { expect, test } from 'vitest';
import { type EventStreamMessage, readEventStream } from '../../../src/cli/client/event-stream.ts';

async function messages(...chunks: (string | Uint8Array)[]): Promise<EventStreamMessage[]> {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  }
  const read: EventStreamMessage[] = [];
  for await (const message of readEventStream(body())) read.push(message);
  return read;
}

test('events, comments, several data lines, missing blanks', async () => {
  expect(
    await messages('event: next\ndata: {"a":1}\n\n:\n\n: ping\n\ndata:one\ndata: two\n\nevent: complete\n\n'),
  ).toEqual([
    { event: 'next', data: '{"a":1}' },
    { event: 'message', data: 'one\ntwo' },
    { event: 'complete', data: '' },
  ]);
});

test('the cuts between chunks do not matter', async () => {
  const whole = Buffer.from('event: next\r\ndata: "äöü€"\r\n\r\nevent: complete\r\ndata:\r\n\r\n');
  const bytes = [...whole].map((byte) => Uint8Array.of(byte));
  expect(await messages(...bytes)).toEqual([
    { event: 'next', data: '"äöü€"' },
    { event: 'complete', data: '' },
  ]);
});

test('what is not finished by an empty line is no message', async () => {
  expect(await messages('event: next\ndata: 1\n')).toEqual([]);
});

test('a message without end is refused', async () => {
  const megabyte = 'x'.repeat(1024 * 1024);
  await expect(messages('data: ', ...Array<string>(17).fill(megabyte))).rejects.toThrow('too long');
});
