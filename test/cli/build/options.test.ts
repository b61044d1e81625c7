import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type BuildOptions,
  type BuildSourceArgument,
  buildInputOf,
  sourceOf,
} from '../../../src/cli/build/options.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-options-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const defaults: BuildOptions = { tag: 'site:1', cache: true };
const HERE = { kind: 'directory', path: '.', isHermetic: false } as const;
const place = { project: 'library', repository: 'images', image: 'site', version: '1' };

describe('what is built', () => {
  test.each<[string | undefined, Partial<BuildOptions>, object]>([
    [undefined, {}, { kind: 'directory', path: '.', isHermetic: false }],
    ['site', { hermetic: true }, { kind: 'directory', path: 'site', isHermetic: true }],
    [
      undefined,
      { git: 'https://git.example/a.git', ref: 'v1' },
      { kind: 'git', location: 'https://git.example/a.git', ref: 'v1', isHermetic: false },
    ],
    [undefined, { bundle: '12' }, { kind: 'bundle', number: 12 }],
  ])('%s %o', (argument, options, expected) => {
    expect(sourceOf(argument, { ...defaults, ...options })).toEqual(expected);
  });

  test.each<[string | undefined, Partial<BuildOptions>, string]>([
    ['.', { bundle: '1' }, 'Give one of a directory, --bundle and --git'],
    [undefined, { bundle: '1', git: '.' }, 'Give one of a directory, --bundle and --git'],
    [undefined, { ref: 'main' }, '--ref belongs to --git'],
    [undefined, { bundle: '0' }, '"0" is not the number of a request'],
    [undefined, { bundle: '2147483648' }, '"2147483648" is not the number of a request'],
    [undefined, { bundle: '1; drop' }, '"1; drop" is not the number of a request'],
    [undefined, { hermetic: true, network: true }, '--hermetic and --network exclude each other'],
  ])('%s %o is refused', (argument, options, message) => {
    expect(() => sourceOf(argument, { ...defaults, ...options })).toThrow(message);
  });
});

describe('how', () => {
  test('nothing is asked that was not said', async () => {
    expect(await buildInputOf(HERE, defaults, 'library')).toEqual(place);
  });

  test('everything', async () => {
    const file = join(directory, 'secret');
    writeFileSync(file, 'of a file\n');
    const options: BuildOptions = {
      ...defaults,
      file: 'ci/Dockerfile',
      target: 'run',
      platform: 'linux/arm64',
      cache: false,
      network: false,
      timeout: '15m',
      buildArg: ['A=1', 'B=x=y', 'C'],
      label: ['a.b=c', 'empty'],
      secret: [`id=one,src=${file}`, 'id=two,env=TOKEN', `type=file,id=three,source=${file}`],
    };
    expect(await buildInputOf(HERE, options, 'library', { C: 'from outside', TOKEN: 'hidden' })).toEqual({
      ...place,
      dockerfile: 'ci/Dockerfile',
      target: 'run',
      platform: 'linux/arm64',
      useCache: false,
      network: false,
      timeoutSeconds: 900,
      buildArguments: [
        { name: 'A', value: '1' },
        { name: 'B', value: 'x=y' },
        { name: 'C', value: 'from outside' },
      ],
      labels: [
        { name: 'a.b', value: 'c' },
        { name: 'empty', value: '' },
      ],
      secrets: [
        { name: 'one', value: 'of a file\n' },
        { name: 'two', value: 'hidden' },
        { name: 'three', value: 'of a file\n' },
      ],
    });
  });

  test.each([
    ['90', 90],
    ['90s', 90],
    ['2h', 7200],
  ])('a timeout of %s', async (timeout, seconds) => {
    expect(await buildInputOf(HERE, { ...defaults, timeout }, 'library')).toEqual({
      ...place,
      timeoutSeconds: seconds,
    });
  });

  test.each<[Partial<BuildOptions>, string]>([
    [{ buildArg: ['MISSING'] }, 'The build argument MISSING has no value, and the environment has none'],
    [{ timeout: 'soon' }, '"soon" is not a duration'],
    ...['src=x', 'id=a', 'id=a,src=b,env=c', 'id=a,src=b,mode=1', ''].map(
      (text): [Partial<BuildOptions>, string] => [
        { secret: [text] },
        'A secret is written like id=NAME,src=FILE or id=NAME,env=VARIABLE',
      ],
    ),
    [{ secret: ['id=a,env=NONE'] }, 'There is no variable NONE for the secret a'],
  ])('%o is refused', async (options, message) => {
    await expect(buildInputOf(HERE, { ...defaults, ...options }, 'library', {})).rejects.toThrow(message);
  });

  test('a secret that is too large, or no text', async () => {
    const large = join(directory, 'large');
    const binary = join(directory, 'binary');
    writeFileSync(large, 'x'.repeat(65_537));
    writeFileSync(binary, Buffer.from([0xff, 0xfe]));
    const secret = (path: string) =>
      buildInputOf(HERE, { ...defaults, secret: [`id=a,src=${path}`] }, 'library');
    await expect(secret(large)).rejects.toThrow('The secret a has 65537 bytes, more than 65536');
    await expect(secret(binary)).rejects.toThrow('The secret a is not UTF-8');
    await expect(secret(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('the image of which no name is given', () => {
  test.each<[BuildSourceArgument, string]>([
    [{ kind: 'directory', path: '/srv/My Site/', isHermetic: false }, 'My-Site'],
    [{ kind: 'git', location: 'https://git.example/team/site.git', ref: null, isHermetic: true }, 'site'],
    [{ kind: 'git', location: 'git@git.example:site.v2.git', ref: null, isHermetic: true }, 'site-v2'],
    [{ kind: 'git', location: 'https://git.example/site/?x=/y', ref: null, isHermetic: true }, 'site'],
    [{ kind: 'git', location: '/srv/repositories/site', ref: null, isHermetic: true }, 'site'],
  ])('%o is called %s', async (source, image) => {
    expect(await buildInputOf(source, { cache: true }, 'library')).toEqual({
      ...place,
      image,
      version: 'latest',
    });
  });

  test.each<[BuildSourceArgument, string]>([
    [{ kind: 'bundle', number: 1 }, 'Name the image of a bundle with --tag'],
    [{ kind: 'directory', path: '/', isHermetic: false }, 'Name the image with --tag'],
  ])('%o has none', async (source, message) => {
    await expect(buildInputOf(source, { cache: true }, 'library')).rejects.toThrow(message);
  });
});
