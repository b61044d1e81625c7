import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('credentials in URLs never reach the log, not in stacks either', async () => {
  const script = `
    const { processLogger } = await import('./src/cli/process-logger.ts');
    const { readSettings } = await import('./src/domain/config.ts');
    const log = processLogger(readSettings({}), 'test');
    log.info({ err: new Error('a @ https://user:s3cret@files.example/a.zip'), url: 'https://s3cret@h.example' }, 'git+https://u:s3cret@git.example/a');
  `;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stderr).not.toContain('s3cret');
  expect(JSON.parse(stderr)).toMatchObject({
    msg: 'git+https://***@git.example/a',
    url: 'https://***@h.example',
    err: { message: 'a @ https://***@files.example/a.zip' },
  });
});
