import { open } from 'node:fs/promises';
import { request } from 'undici';

interface ArchiveDownload {
  url: string;
  token: string;
  file: string;
}

export interface DownloadedArchive {
  seconds: number;
  bytes: number;
}

/** A child process that downloads into a file, and is done when the disk has it. */
async function download({ url, token, file }: ArchiveDownload): Promise<DownloadedArchive> {
  const start = performance.now();
  const { body, statusCode } = await request(url, { headers: { authorization: `Bearer ${token}` } });
  if (statusCode !== 200) throw new Error(`${url}: ${statusCode}`);
  const handle = await open(file, 'w');
  let bytes = 0;
  for await (const chunk of body) bytes += (await handle.write(chunk)).bytesWritten;
  await handle.sync();
  await handle.close();
  return { seconds: (performance.now() - start) / 1000, bytes };
}

if (process.send && import.meta.main) {
  process.on('message', async (question: ArchiveDownload) => process.send!(await download(question)));
  process.on('disconnect', () => process.exit());
  process.send({});
}
