// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles look like that.
import { describe, expect, it } from 'vitest';
import { planDockerfile } from '../../../src/workers/builders/dockerfile-plan.ts';

function plan(lines: string[], options: { target?: string; arguments?: Record<string, string> } = {}) {
  return planDockerfile(lines.join('\n'), {
    target: options.target ?? null,
    buildArguments: options.arguments ?? {},
    platformVariables: { TARGETARCH: 'amd64' },
  });
}

describe('planDockerfile', () => {
  it.each([
    ['FROM', ['FROM base:1'], ['base:1']],
    ['FROM scratch', ['FROM scratch'], []],
    ['names of stages, whatever their case', ['FROM base AS One', 'FROM one'], ['base']],
    ['a stage that comes later is none', ['FROM later', 'FROM base AS later'], ['later', 'base']],
    ['the same image twice', ['FROM base', 'FROM base AS two'], ['base']],
    ['ARG with its default', ['ARG TAG=1', 'FROM base:$TAG'], ['base:1']],
    ['ARG in ARG', ['ARG A=1', 'ARG B="x-${A}"', 'FROM base:${B}'], ['base:x-1']],
    ['defaults and alternatives', ['ARG A', 'FROM base:${A:-none}${TARGETARCH:+-x}'], ['base:none-x']],
    ['COPY --from', ['FROM scratch', 'COPY --from=other:2 /a /b'], ['other:2']],
    [
      'COPY --from a stage and a number',
      ['FROM base AS one', 'FROM scratch', 'COPY --from=one / /', 'COPY --from=0 / /'],
      ['base'],
    ],
    ['mounts', ['FROM scratch', 'RUN --mount=type=bind,from=tools:3,target=/t true'], ['tools:3']],
    ['continued lines and comments', ['# FROM no', 'FROM \\', '  base:1 \\', '  AS x'], ['base:1']],
    ['another escape character', ['# escape=`', 'FROM `', '  base:1'], ['base:1']],
    ['Windows line ends', ['FROM base:1\r', 'RUN true\r'], ['base:1']],
  ])('finds base images: %s', (_, lines, expected) => {
    expect(plan(lines).baseImages.map(({ name }) => name)).toEqual(expected);
  });

  it('takes arguments of the build', () => {
    expect(plan(['ARG TAG=1', 'FROM base:$TAG'], { arguments: { TAG: '2' } }).baseImages).toEqual([
      { name: 'base:2', platform: null, line: 2 },
    ]);
  });

  it('needs nothing of stages behind the target', () => {
    const { baseImages, stages } = plan(['FROM one AS a', 'RUN x', 'FROM two AS b'], { target: 'A' });
    expect(baseImages.map(({ name }) => name)).toEqual(['one']);
    expect(stages).toEqual([{ name: 'a', lines: [1, 2] }]);
  });

  it('replaces names where they stand, and keeps all lines', () => {
    const lines = [
      'ARG TAG=1',
      'FROM --platform=linux/arm64 base:$TAG AS one',
      'COPY --link --from=other:2 /a /b',
      'FROM one',
      'RUN --mount=type=bind,target=/x,from=other:2 cat base:1 other:2',
    ];
    const { baseImages, withNames } = plan(lines);
    const names = new Map(baseImages.map((reference) => [reference, `pinned/${reference.name}`]));
    expect(withNames(names).split('\n')).toEqual([
      'ARG TAG=1',
      'FROM --platform=linux/arm64 pinned/base:1 AS one',
      'COPY  --from=pinned/other:2 /a /b',
      'FROM one',
      'RUN --mount=type=bind,target=/x,from=pinned/other:2 cat base:1 other:2',
    ]);
    expect(baseImages[0]!.platform).toBe('linux/arm64');
  });

  it.each([
    ['nothing', [''], undefined],
    ['only ARG', ['ARG x'], undefined],
    ['an unknown instruction', ['FROM a', '', 'HELLO'], 3],
    ['a step before FROM', ['RUN x', 'FROM a'], 1],
    ['FROM without a name', ['FROM'], 1],
    ['an empty variable', ['ARG X', 'FROM $X'], 2],
    ['what is no variable', ['FROM ${X:?y}'], 1],
  ])('refuses %s', (_, lines, line) => {
    expect(() => plan(lines)).toThrow(
      expect.objectContaining({ code: 'dockerfile-invalid', details: line === undefined ? {} : { line } }),
    );
  });

  it('refuses a target that is not there', () => {
    expect(() => plan(['FROM a'], { target: 'b' })).toThrow('it has no stage "b"');
  });

  it.each([
    ['RUN', 'RUN has nothing behind it'],
    ['RUN --mount=type=cache,target=/x', 'RUN has nothing behind it'],
    ['COPY', 'COPY has nothing behind it'],
    ['COPY --chmod=700 a', 'COPY has no destination'],
    ['ADD ["a"]', 'ADD has no destination'],
    ['ENV', 'ENV has nothing behind it'],
  ])('says what is missing: %s', (line, problem) => {
    expect(() => plan(['FROM scratch', line])).toThrow(`The Dockerfile is not valid in line 2: ${problem}`);
  });

  it.each(['COPY ["a","b"]', 'COPY a b', 'CMD', 'CMD []', 'ENTRYPOINT []', 'RUN ["x"]', 'VOLUME []'])(
    'misses nothing: %s',
    (line) => {
      expect(plan(['FROM scratch', line]).stages).toEqual([{ name: null, lines: [1, 2] }]);
    },
  );

  it.each([
    ['RUN <<EOF\necho\nEOF', 3],
    ['COPY <<A /a\nx\nA', 3],
    ['RUN cat <<<x; echo $((1<<2))', null],
  ])('finds here-documents: %j', (line, found) => {
    expect(plan(['FROM scratch', 'ENV a=b', line]).hereDocument).toBe(found);
  });
});
