import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RegistryStack } from '../support/registry-stack.ts';

/**
 * Requests of which two servers behind each other could disagree where they end. The second one, which a proxy would not have
 * seen, must never be answered: each is refused, and its connection closed.
 */
let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

/** Wherever they stand: the body before may have no line end. */
const STATUS_LINES = /HTTP\/1\.1 \d{3}[^\r\n]*/g;
const SMUGGLED = 'GET /livez HTTP/1.1\r\nhost: smuggled.example\r\n\r\n';
const CHUNKED = `2\r\n{}\r\n0\r\n\r\n`;

const REQUESTS: [title: string, head: string[], body: string][] = [
  ['CL.TE', [`content-length: ${5 + SMUGGLED.length}`, 'transfer-encoding: chunked'], `0\r\n\r\n${SMUGGLED}`],
  ['TE.CL', ['transfer-encoding: chunked', 'content-length: 4'], `${CHUNKED}${SMUGGLED}`],
  ['CL.0', ['content-length: 0', 'content-length: 2'], `{}${SMUGGLED}`],
  ['two lengths', ['content-length: 2', `content-length: ${2 + SMUGGLED.length}`], `{}${SMUGGLED}`],
  ['a list of lengths', [`content-length: 2, ${2 + SMUGGLED.length}`], `{}${SMUGGLED}`],
  ['a signed length', ['content-length: +2'], `{}${SMUGGLED}`],
  ['a negative length', ['content-length: -2'], `{}${SMUGGLED}`],
  ['a hexadecimal length', ['content-length: 0x2'], `{}${SMUGGLED}`],
  ['a length with a space in it', ['content-length: 2 2'], `{}${SMUGGLED}`],
  ['a length beyond all', ['content-length: 18446744073709551618'], `{}${SMUGGLED}`],
  ['an unknown encoding', ['transfer-encoding: xchunked'], `${CHUNKED}${SMUGGLED}`],
  ['an encoding that is not the last', ['transfer-encoding: chunked, identity'], `${CHUNKED}${SMUGGLED}`],
  ['chunked twice', ['transfer-encoding: chunked', 'transfer-encoding: x'], `${CHUNKED}${SMUGGLED}`],
  ['a tab before the encoding', ['transfer-encoding:\x0bchunked'], `${CHUNKED}${SMUGGLED}`],
  ['a space before the colon', ['content-length : 2'], `{}${SMUGGLED}`],
  ['a folded line', ['x-folded: a', ' content-length: 2', 'content-length: 2'], `{}${SMUGGLED}`],
  ['a folded encoding', ['transfer-encoding:', ' chunked'], `${CHUNKED}${SMUGGLED}`],
  ['a line feed alone in the head', ['x-alone: a\ncontent-length: 2', 'content-length: 2'], `{}${SMUGGLED}`],
  ['a carriage return alone', ['x-alone: a\rcontent-length: 2', 'content-length: 2'], `{}${SMUGGLED}`],
  ['a NUL in the head', ['x-nul: a\0b', 'content-length: 2'], `{}${SMUGGLED}`],
  ['chunks that end with a line feed alone', ['transfer-encoding: chunked'], `2\n{}\n0\n\n${SMUGGLED}`],
  ['a chunk longer than it says', ['transfer-encoding: chunked'], `1\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk of a signed length', ['transfer-encoding: chunked'], `+2\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk of a hexadecimal prefix', ['transfer-encoding: chunked'], `0x2\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  [
    'a chunk of a length beyond all',
    ['transfer-encoding: chunked'],
    `10000000000000002\r\n{}\r\n${SMUGGLED}`,
  ],
];

/** Something of each dialect that takes a body. */
const TARGETS = [
  'POST /graphql',
  'POST /api/v1/requests',
  'POST /v2/apps/images/smuggled/blobs/uploads/',
  'POST /repository/api/project/create',
  'POST /api/tokens',
];

/** Everything that the server answers until it closes the connection. */
async function answersTo(request: string): Promise<string> {
  const { hostname, port } = new URL(stack.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text;
  });
  socket.write(request, 'latin1');
  await once(socket, 'close');
  return answer;
}

test.each(REQUESTS)('with %s', async (_title, head, body) => {
  const { authorization } = stack.authorization('ada');
  const { host } = new URL(stack.url);
  const answers = await Promise.all(
    TARGETS.map((target) => {
      const lines = [`${target} HTTP/1.1`, `host: ${host}`, `authorization: ${authorization}`];
      lines.push('content-type: application/json', ...head);
      return answersTo(`${lines.join('\r\n')}\r\n\r\n${body}`);
    }),
  );
  for (const answer of answers) {
    expect(answer.match(STATUS_LINES)).toEqual(['HTTP/1.1 400 Bad Request']);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  }
});

test('what follows a whole request is the next one', async () => {
  const answer = await answersTo(
    'GET /livez HTTP/1.1\r\nhost: a\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  );
  expect(answer.match(STATUS_LINES)).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK']);
});
