import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'undici';

/** The question; the answer is {@link Downloaded}. */
interface Downloads {
  /** Each a row of URLs of one server that are fetched one after the other: an index page, then what it names. */
  chains: string[][];
  directory: string;
}

export interface Downloaded {
  seconds: number;
}

export const CONNECTIONS = 32;

/**
 * A child process, the yardstick of downloads: undici with 32 connections, every body written to a file. It checks
 * nothing, syncs nothing, remembers nothing.
 */
async function download({ chains, directory }: Downloads): Promise<Downloaded> {
  const start = performance.now();
  const pool = new Pool(new URL(chains[0]![0]!).origin, { connections: CONNECTIONS, pipelining: 1 });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < chains.length) {
      const index = next++;
      for (const [step, url] of chains[index]!.entries()) {
        const { body, statusCode } = await pool.request({ method: 'GET', path: new URL(url).pathname });
        if (statusCode !== 200) throw new Error(`${url}: ${statusCode}`);
        await writeFile(join(directory, `${index}-${step}`), Buffer.from(await body.arrayBuffer()));
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const seconds = (performance.now() - start) / 1000;
  await pool.close();
  return { seconds };
}

if (process.send && import.meta.main) {
  process.on('message', async (question: Downloads) => process.send!(await download(question)));
  process.on('disconnect', () => process.exit());
  process.send({});
}
