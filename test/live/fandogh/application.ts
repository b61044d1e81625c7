import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const BUSYBOX = '/bin/busybox';

/** A directory that can be published. */
export async function application(directory: string, lastLine: string): Promise<string> {
  await mkdir(directory);
  await copyFile(BUSYBOX, join(directory, 'busybox'));
  const lines = [
    'FROM scratch',
    'COPY busybox /bin/busybox',
    'RUN ["/bin/busybox", "echo", "a step"]',
    lastLine,
  ];
  await writeFile(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`);
  return directory;
}
