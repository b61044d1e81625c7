import { Pool } from 'undici';

export interface Load {
  url: string;
  path: string;
  /** null: anonymous. */
  token: string | null;
  /** Of a POST; null: GET. */
  body: string | null;
  seconds: number;
}

const CONNECTIONS = 32;

/** A child process that asks the same again and again over so many connections. */
async function load({
  url,
  path,
  token,
  body,
  seconds,
}: Load): Promise<{ answers: number; seconds: number }> {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const start = performance.now();
  const end = start + seconds * 1000;
  let answers = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const answer = await pool.request({
        method: body === null ? 'GET' : 'POST',
        path,
        headers: {
          ...(token !== null && { authorization: `Bearer ${token}` }),
          'content-type': 'application/json',
        },
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200 || text.includes('"errors"')) throw new Error(text.slice(0, 500));
      answers += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  const elapsed = (performance.now() - start) / 1000;
  await pool.close();
  return { answers, seconds: elapsed };
}

if (process.send && import.meta.main) {
  process.on('message', async (question: Load) => process.send!(await load(question)));
  process.on('disconnect', () => process.exit());
  process.send({});
}
