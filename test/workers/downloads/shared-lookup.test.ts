import type { LookupFunction } from 'node:net';
import { expect, test } from 'vitest';
import { sharedLookup } from '../../../src/workers/downloads/shared-lookup.ts';

/** A resolver whose answers the test gives. */
function resolver() {
  const questions: { host: string; answer: Parameters<LookupFunction>[2] }[] = [];
  const lookup = sharedLookup((host, _options, answer) => void questions.push({ host, answer }));
  const ask = (host: string, all = true) =>
    new Promise((resolve, reject) => {
      lookup(host, { all }, (error, address) => (error ? reject(error) : resolve(address)));
    });
  return { questions, ask };
}

test('connections to one host ask once', async () => {
  const { questions, ask } = resolver();
  const answers = [
    ask('files.example'),
    ask('files.example'),
    ask('other.example'),
    ask('files.example', false),
  ];
  expect(questions.map(({ host }) => host)).toEqual(['files.example', 'other.example', 'files.example']);
  questions[0]!.answer(null, [{ address: '192.0.2.1', family: 4 }]);
  questions[1]!.answer(null, []);
  questions[2]!.answer(null, '192.0.2.1', 4);
  expect(await Promise.all(answers)).toEqual([
    [{ address: '192.0.2.1', family: 4 }],
    [{ address: '192.0.2.1', family: 4 }],
    [],
    '192.0.2.1',
  ]);
  expect(await ask('files.example')).toEqual([{ address: '192.0.2.1', family: 4 }]);
  expect(questions).toHaveLength(3);
});

test('a failure is told to all who wait, and asked again', async () => {
  const { questions, ask } = resolver();
  const failing = Promise.allSettled([ask('files.example'), ask('files.example')]);
  questions[0]!.answer(Object.assign(new Error('lost'), { code: 'EAI_AGAIN' }), '');
  expect((await failing).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const again = ask('files.example');
  questions[1]!.answer(null, []);
  expect(await again).toEqual([]);
});
