import { Agent, request } from 'undici';
import { readEventStream } from '../src/cli/client/event-stream.ts';

/** The question. It is answered with {@link Arrivals} for every mark that has reached all subscribers. */
export interface Subscribe {
  url: string;
  token: string;
  document: string;
  variables: object;
  subscribers: number;
}

export interface Arrivals {
  mark: string;
  /** When it has reached each of them, in milliseconds since the epoch. */
  at: number[];
}

const arrivals = new Map<string, number[]>();
const agent = new Agent({ bodyTimeout: 0, headersTimeout: 0 });

/** A child process: one subscriber over SSE, with a connection of its own. Messages carry `mark:…:` somewhere. */
async function subscribe({ url, token, document, variables, subscribers }: Subscribe): Promise<void> {
  const { body, statusCode } = await request(`${url}/graphql`, {
    method: 'POST',
    dispatcher: agent,
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query: document, variables }),
  });
  if (statusCode !== 200) throw new Error(`${statusCode} ${await body.text()}`);
  for await (const { event, data } of readEventStream(body)) {
    if (event !== 'next') continue;
    const mark = /mark:(\w+):/.exec(data)?.[1];
    if (mark === undefined) throw new Error(`a message without a mark: ${data}`);
    const at = arrivals.get(mark) ?? [];
    arrivals.set(mark, at);
    if (at.push(performance.timeOrigin + performance.now()) < subscribers) continue;
    arrivals.delete(mark);
    const answer: Arrivals = { mark, at };
    process.send!(answer);
  }
}

if (process.send && import.meta.main) {
  process.on('message', (question: Subscribe) => {
    for (let index = 0; index < question.subscribers; index += 1) void subscribe(question);
  });
  process.on('disconnect', () => process.exit());
  process.send({});
}
