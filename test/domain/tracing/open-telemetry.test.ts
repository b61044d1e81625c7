import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InvalidInputError } from '../../../src/domain/errors.ts';
import { currentSpan, inSpan, typeOf, untilOver } from '../../../src/domain/tracing/span.ts';
import { openTracing } from '../../../src/domain/tracing/tracing.ts';
import { TraceCollector, testTracing } from '../../support/trace-collector.ts';

const ROOT = join(import.meta.dirname, '../../..');
const JOB = { kind: 'consumer', parent: null, attributes: {} } as const;

test('nothing of OpenTelemetry is loaded while traces are off', async () => {
  const sources = globSync('src/**/*.ts', { cwd: ROOT }).map((name) => ({
    name,
    text: readFileSync(join(ROOT, name), 'utf8'),
  }));
  const naming = (pattern: RegExp): string[] =>
    sources.filter(({ text }) => pattern.test(text)).map(({ name }) => name);
  expect(naming(/@opentelemetry\//)).toEqual(['src/domain/tracing/open-telemetry.ts']);
  expect(naming(/open-telemetry\.ts/)).toEqual(['src/domain/tracing/tracing.ts']);
  expect(naming(/^import .*open-telemetry\.ts/m)).toEqual([]);
  const options = { serviceName: 'x', environment: {}, onLost: () => undefined };
  expect(await openTracing({ traces: false }, options)).toBe(null);
});

test('a failure is told by its code, and by no text', async () => {
  const collector = await TraceCollector.start();
  const tracing = await testTracing(collector.url);
  const failing = untilOver(tracing.start('work', JOB), async () => {
    await inSpan('part', { 'stowage.blobs': 2 }, async () => {
      throw new InvalidInputError('the password is hunter2');
    });
  });
  await expect(failing).rejects.toThrow('hunter2');
  expect(currentSpan()).toBe(null);
  await tracing.close();
  await collector.close();
  expect(collector.spans.map(({ name, attributes, isError }) => ({ name, attributes, isError }))).toEqual([
    { name: 'part', attributes: { 'stowage.blobs': 2, 'error.type': 'invalid-input' }, isError: true },
    { name: 'work', attributes: { 'error.type': 'invalid-input' }, isError: true },
  ]);
  expect(JSON.stringify(collector.bodies)).not.toContain('hunter2');
  expect([new TypeError('x'), { code: 'a b' }, 'text'].map(typeOf)).toEqual([
    'TypeError',
    'unknown',
    'unknown',
  ]);
});

test('a collector that takes nothing is told of once', async () => {
  const lost: unknown[] = [];
  const collector = await TraceCollector.start(400);
  const delay = { OTEL_BSP_SCHEDULE_DELAY: '1' };
  const tracing = await testTracing(collector.url, delay, (error) => lost.push(error?.message));
  for (let number = 0; number < 5_000; number += 1) tracing.start('work', JOB).end();
  await expect.poll(() => lost.length).toBe(1);
  tracing.start('work', JOB).end();
  await tracing.close();
  await collector.close();
  expect(collector.bodies.length).toBeGreaterThan(1);
  expect(lost).toEqual(['Bad Request']);
});

test('a collector that never answers does not keep a process from its end', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const connected = once(silent, 'connection');
  const url = `http://127.0.0.1:${port}/v1/traces`;
  const options = { serviceName: 'x', environment: {}, onLost: () => undefined, url, closeMs: 500 };
  const tracing = (await openTracing({ traces: true }, options))!;
  tracing.start('work', JOB).end();
  const started = performance.now();
  await tracing.close();
  expect(performance.now() - started).toBeLessThan(3_000);
  const [socket] = await connected;
  socket.destroy();
  silent.close();
});

test('wrong variables of OpenTelemetry keep a process from starting, by name', async () => {
  const open = (environment: Record<string, string>) =>
    openTracing({ traces: true }, { serviceName: 'x', environment, onLost: () => undefined });
  for (const [variable, value, message] of [
    ['OTEL_TRACES_SAMPLER', 'sometimes', /^OTEL_TRACES_SAMPLER must be one of always_on, .*not "sometimes"$/],
    ['OTEL_TRACES_SAMPLER_ARG', '1.1', /^OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "1.1"$/],
    ['OTEL_BSP_MAX_QUEUE_SIZE', 'x', /^OTEL_BSP_MAX_QUEUE_SIZE must be a whole number/],
  ] as const) {
    await expect(open({ [variable]: value }), variable).rejects.toThrow(message);
  }
});

test.for([
  ['traceidratio', '0', '01', false],
  ['traceidratio', '1', '00', true],
  ['parentbased_traceidratio', '0', '01', true],
  ['parentbased_always_off', '', '00', false],
  ['always_on', '', '00', true],
] as const)('%s %s of a trace with the flags %s', async ([sampler, argument, flags, isKept]) => {
  const url = 'http://127.0.0.1:9/v1/traces';
  const tracing = await testTracing(url, { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument });
  const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}`;
  const span = tracing.start('work', { ...JOB, parent });
  expect(span.traceparent).toMatch(new RegExp(`^00-a{32}-[\\da-f]{16}-${isKept ? '01' : '00'}$`));
  const others = [
    parent.toUpperCase(),
    `ff${parent.slice(2)}`,
    `${parent}-x`,
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    'x'.repeat(10_000),
  ];
  for (const other of others)
    expect(tracing.start('work', { ...JOB, parent: other }).traceId).not.toBe('a'.repeat(32));
});
