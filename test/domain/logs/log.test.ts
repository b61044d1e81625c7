import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { closeLog, reopenLog } from '../../../src/domain/database/sql/close-log.ts';
import { EventHub } from '../../../src/domain/events/event-hub.ts';
import { compactLog } from '../../../src/domain/logs/compact-log.ts';
import type { LogLine, LogSubject } from '../../../src/domain/logs/log-line.ts';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { followLog, followLogPages, readLog } from '../../../src/domain/logs/read-log.ts';
import { testDatabase } from '../../support/database.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';

describe('logs', () => {
  let database: Database;
  let hub: EventHub;
  const blobs = new MemoryBlobStore();
  beforeAll(async () => {
    database = await testDatabase();
    hub = new EventHub(database);
    await hub.start();
  });
  afterAll(async () => {
    await hub.close();
    await database.close();
  });
  const subject = (subjectId: number): LogSubject => ({ subjectType: 'bundle-request', subjectId });
  const texts = async (id: number, after = 0): Promise<string[]> =>
    (await readLog(database, blobs, subject(id), after)).lines.map((line) => `${line.number} ${line.text}`);

  test('two writers share one numbering without gaps', async () => {
    const writers = ['a', 'b'].map((source) => new LogWriter(database, subject(1), source));
    for (let line = 0; line < 500; line++) for (const writer of writers) writer.info(`line ${line}`);
    await Promise.all(writers.map((writer) => writer.flush()));
    const { lines, total } = await readLog(database, blobs, subject(1), 0);
    expect(total).toBe(1000);
    expect(lines.map((line) => line.number)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
    for (const source of ['a', 'b']) {
      const own = lines.filter((line) => line.source === source).map((line) => line.text);
      expect(own).toEqual(Array.from({ length: 500 }, (_, index) => `line ${index}`));
    }
  });

  test('a follower sees old and new lines and ends when the log is closed', async () => {
    const writer = new LogWriter(database, subject(2), 'x');
    writer.info('one');
    await writer.flush();
    const followed = (async () => {
      const seen: string[] = [];
      for await (const line of followLog(database, blobs, hub, subject(2), 0, new AbortController().signal)) {
        seen.push(line.text);
      }
      return seen;
    })();
    writer.warn('two\nthree');
    await writer.flush();
    await closeLog(database.sql, subject(2));
    expect(await followed).toEqual(['one', 'two', 'three']);
  });

  test('pages say the same as lines, wherever one begins and however they were written', async () => {
    const writer = new LogWriter(database, subject(4), 'x');
    const long = 'y'.repeat(16_000);
    for (let line = 1; line <= 2_500; line++) writer.info(`line ${line}`);
    await writer.flush();
    for (let line = 1; line <= 40; line++) writer.warn(`${long} ${line}`);
    writer.info('a "quoted" \\ line\tof 日本語 and \u2028');
    await writer.flush();
    await closeLog(database.sql, subject(4));
    const signal = new AbortController().signal;
    const written: string[] = [];
    for await (const { text } of followLog(database, blobs, hub, subject(4), 0, signal)) written.push(text);
    expect(written).toHaveLength(2_541);
    expect(written.slice(2_498, 2_501)).toEqual(['line 2499', 'line 2500', `${long} 1`]);
    expect(written.at(-1)).toBe('a "quoted" \\ line\tof 日本語 and \u2028');
    for (const after of [0, 1, 999, 1_000, 1_001, 2_000, 2_499, 2_520, 2_540, 2_541]) {
      const paged: LogLine[] = [];
      for await (const page of followLogPages(database, blobs, hub, subject(4), after, signal)) {
        expect(page.total).toBe(2_541);
        expect(page.lines.length).toBeGreaterThan(0);
        paged.push(...page.lines);
      }
      expect(paged.map(({ text }) => text)).toEqual(written.slice(after));
      expect(paged.map(({ number }) => number)).toEqual(paged.map((_, index) => after + index + 1));
      const { lines } = await readLog(database, blobs, subject(4), after, 30);
      expect(lines).toEqual(paged.slice(0, 30));
    }
    // What is long lies in pages of its own.
    const [largest] = await database.sql.query<{ characters: number }>(
      `select max(length(lines)) as characters from log_pages
       where stream_id = (select id from log_streams where subject_id = 4 and subject_type = 'bundle-request')`,
    );
    expect(largest!.characters).toBeLessThan(300_000);
  });

  test('who writes has to wait while as many lines or characters as fit are on their way', async () => {
    const writer = new LogWriter(database, subject(5), 'x');
    for (let line = 0; line < 9_999; line++) writer.info('short');
    expect(writer.room()).toBe(null);
    for (let line = 0; line < 2_001; line++) writer.info('short');
    await writer.room();
    await writer.flush();
    const long = 'y'.repeat(16_000);
    for (let line = 0; line < 600; line++) writer.info(long);
    const room = writer.room();
    expect(room).not.toBe(null);
    await room;
    expect(writer.room()).toBe(null);
    await writer.flush();
    expect((await readLog(database, blobs, subject(5), 12_599)).lines.map(({ text }) => text)).toEqual([
      long,
    ]);
  });

  test('a line after a pause is written almost at once, those that follow it together', async () => {
    const batches: string[][] = [];
    const sql = {
      query: async (_text: string, values: readonly unknown[]) => {
        batches.push(JSON.parse(values[5] as string).flatMap((run: unknown[]) => run[3]));
        return [];
      },
    };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const writer = new LogWriter({ sql } as unknown as Database, subject(9), 'x');
      writer.info('one');
      await vi.advanceTimersByTimeAsync(5);
      expect(batches).toEqual([['one']]);
      writer.info('two');
      await vi.advanceTimersByTimeAsync(30);
      writer.info('three');
      expect(batches).toEqual([['one']]);
      await vi.advanceTimersByTimeAsync(20);
      expect(batches).toEqual([['one'], ['two', 'three']]);
      await vi.advanceTimersByTimeAsync(1_000);
      writer.info('four');
      await vi.advanceTimersByTimeAsync(5);
      expect(batches).toEqual([['one'], ['two', 'three'], ['four']]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a closed log takes no more lines, and reads the same after compaction and after a retry', async () => {
    const writer = new LogWriter(database, subject(3), 'x', (text) => text.replace('s3cret', '***'));
    writer.info('one s3cret');
    writer.info('two');
    await writer.flush();
    await closeLog(database.sql, subject(3));
    writer.info('too late');
    await writer.flush();
    const expected = ['1 one ***', '2 two'];
    expect(await texts(3)).toEqual(expected);
    await compactLog(database, blobs, subject(3));
    await compactLog(database, blobs, subject(3));
    expect(await texts(3)).toEqual(expected);
    expect(await texts(3, 1)).toEqual(['2 two']);

    await reopenLog(database.sql, subject(3));
    writer.info('three');
    await writer.flush();
    expect(await texts(3, 2)).toEqual(['3 three']);
    await closeLog(database.sql, subject(3));
    await compactLog(database, blobs, subject(3));
    expect(await texts(3)).toEqual([...expected, '3 three']);
    expect(
      await database.sql.query(
        'select * from log_pages where stream_id = (select id from log_streams where subject_id = 3)',
      ),
    ).toEqual([]);
  });

  test('lines say nothing to a terminal, and begin where the log says', async () => {
    const log = new LogWriter(database, subject(77), 'x');
    log.info('a \x1b]0;title\x07 name\r\nwith\ttab\0\x9b31m\rand return');
    await log.flush();
    expect(await texts(77)).toEqual(['1 a �]0;title� name', '2 with\ttab��31m�and return']);
  });

  test('nothing is written for a subject without a log', async () => {
    expect(await readLog(database, blobs, subject(99), 0)).toEqual({ lines: [], total: 0, closed: false });
  });
});
