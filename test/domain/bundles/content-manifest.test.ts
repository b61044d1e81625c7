import { describe, expect, test } from 'vitest';
import {
  type ContentManifest,
  contentManifest,
  type ManifestedRequest,
} from '../../../src/domain/bundles/content-manifest.ts';
import type { Dependency, PackageType, ResolvedPackage } from '../../../src/domain/packages/package.ts';

const REF = 'c0ffee'.padEnd(40, '0');
const SHA = 'a'.repeat(40);
const REPOSITORY = 'https://git.example/Org/App.git';

const dependency = (type: PackageType, name: string, version: string | null, dev?: boolean): Dependency => ({
  type,
  name,
  version,
  replaces: null,
  ...(dev !== undefined && { dev }),
});

const resolved = (
  type: PackageType,
  name: string,
  version: string | null,
  dependencies: Dependency[] = [],
  path = '.',
): ResolvedPackage => ({ type, name, version, path, dependencies });

const request = (
  packages: ResolvedPackage[],
  repository: string | null = REPOSITORY,
  ref = REF,
): ManifestedRequest => ({ repository, ref, packages });

const contents = (...requests: ManifestedRequest[]): ContentManifest['image_contents'] =>
  contentManifest(requests).image_contents;

const list = (...purls: string[]): { purl: string }[] => purls.map((purl) => ({ purl }));

test('without requests it is the bare document', () => {
  expect(contentManifest([])).toEqual({
    metadata: {
      icm_version: 1,
      icm_spec:
        'https://raw.githubusercontent.com/containerbuildsystem/atomic-reactor/f4abcfdaf8247a6b074f94fa84f3846f82d781c6/atomic_reactor/schemas/content_manifest.json',
      image_layer_index: -1,
    },
    image_contents: [],
  });
});

describe('the purl of a dependency', () => {
  test.each<[what: string, PackageType, name: string, version: string | null, purl: string]>([
    ['npm', 'npm', 'chai', '4.2.0', 'pkg:npm/chai@4.2.0'],
    ['npm, scoped', 'npm', '@angular/core', '1.0.0', 'pkg:npm/%40angular/core@1.0.0'],
    ['npm, pre-release and build', 'npm', 'a', '1.0.0-rc.1+build', 'pkg:npm/a@1.0.0-rc.1+build'],
    ['yarn is npm', 'yarn', '@a/b', '1.0.0', 'pkg:npm/%40a/b@1.0.0'],
    ['github:', 'npm', 'a', `github:Org/Repo#${SHA}`, `pkg:github/Org/Repo@${SHA}`],
    ['gitlab: with groups', 'npm', 'a', `gitlab:a/b/c#${SHA}`, `pkg:gitlab/a/b/c@${SHA}`],
    ['bitbucket:', 'yarn', 'a', `bitbucket:o/r#${SHA}`, `pkg:bitbucket/o/r@${SHA}`],
    [
      'git+https',
      'npm',
      'a',
      `git+https://github.com/o/r.git#${SHA}`,
      `pkg:generic/a?vcs_url=git%2Bhttps%3A%2F%2Fgithub.com%2Fo%2Fr.git%23${SHA}`,
    ],
    [
      'git+ssh, scoped',
      'npm',
      '@s/a',
      `git+ssh://git@host.example/o/r#${SHA}`,
      `pkg:generic/%40s/a?vcs_url=git%2Bssh%3A%2F%2Fgit%40host.example%2Fo%2Fr%23${SHA}`,
    ],
    [
      'git+http',
      'npm',
      'a',
      `git+http://h.example/r#${SHA}`,
      `pkg:generic/a?vcs_url=git%2Bhttp%3A%2F%2Fh.example%2Fr%23${SHA}`,
    ],
    [
      'git://',
      'npm',
      'a',
      `git://h.example/r#${SHA}`,
      `pkg:generic/a?vcs_url=git%3A%2F%2Fh.example%2Fr%23${SHA}`,
    ],
    [
      'https tarball',
      'npm',
      'a',
      "https://h.example/a-1.tgz?x=(1)'!*~_.-",
      'pkg:generic/a?download_url=https%3A%2F%2Fh.example%2Fa-1.tgz%3Fx%3D%281%29%27%21%2A~_.-',
    ],
    [
      'http tarball',
      'npm',
      'a',
      'http://h.example/a.tgz',
      'pkg:generic/a?download_url=http%3A%2F%2Fh.example%2Fa.tgz',
    ],
    ['file:', 'npm', 'a', 'file:packages/a b', 'pkg:generic/a?file=packages%2Fa%20b'],
    ['pip release', 'pip', 'Flask_Login', '1.0', 'pkg:pypi/flask-login@1.0'],
    ['pip release with dots', 'pip', 'zope.Interface', '5.0', 'pkg:pypi/zope.interface@5.0'],
    [
      'pip git, on github',
      'pip',
      'a',
      `git+https://github.com/Org/Repo.git@${SHA}`,
      `pkg:github/org/repo@${SHA}`,
    ],
    [
      'pip git, elsewhere',
      'pip',
      'a-B',
      `git+https://h.example/o/r@${SHA}`,
      `pkg:generic/a-B?vcs_url=https%3A%2F%2Fh.example%2Fo%2Fr%40${SHA}`,
    ],
    [
      'pip url',
      'pip',
      'a',
      'https://h.example/a.zip#cachito_hash=sha256:abc',
      'pkg:generic/a?download_url=https%3A%2F%2Fh.example%2Fa.zip%23cachito_hash%3Dsha256%3Aabc&checksum=sha256:abc',
    ],
    [
      'pip url with more in the fragment',
      'pip',
      'a',
      'https://h.example/a.zip#egg=a&cachito_hash=sha256:abc',
      'pkg:generic/a?download_url=https%3A%2F%2Fh.example%2Fa.zip%23egg%3Da%26cachito_hash%3Dsha256%3Aabc&checksum=sha256:abc',
    ],
    ['gem', 'rubygems', 'rails', '7.0.1', 'pkg:gem/rails@7.0.1'],
    ['gem from git', 'rubygems', 'g', `git+https://github.com/O/G@${SHA}`, `pkg:github/o/g@${SHA}`],
    [
      'gem from git elsewhere',
      'rubygems',
      'g',
      `git+https://h.example/o/g.git@${SHA}`,
      `pkg:generic/g?vcs_url=https%3A%2F%2Fh.example%2Fo%2Fg.git%40${SHA}`,
    ],
    ['half a surrogate', 'npm', 'a', 'file:\ud800', 'pkg:generic/a?file=%EF%BF%BD'],
  ])('%s', (_what, type, name, version, purl) => {
    const owner = resolved(type, 'app', '1.0.0', [dependency(type, name, version)]);
    expect(contents(request([owner]))[0]!.sources).toEqual(list(purl));
  });

  test.each<[PackageType, string, string]>([
    ['npm', 'svn://h.example/a', 'Unknown protocol in npm package version: svn://h.example/a'],
    ['yarn', 'ftp://h.example/a', 'Unknown protocol in npm package version: ftp://h.example/a'],
    ['npm', 'weird:foo', 'Could not convert version weird:foo to purl'],
    ['npm', 'https:foo', 'Could not convert version https:foo to purl'],
    ['git-submodule', 'https://h.example/a', 'Could not convert version https://h.example/a to purl'],
    ['conda' as PackageType, '1', 'The PURL spec is not defined for conda packages'],
  ])('there is none for %s %s', (type, version, message) => {
    const owner = resolved('npm', 'app', '1.0.0', [dependency(type, 'a', version)]);
    expect(() => contents(request([owner]))).toThrow(
      expect.objectContaining({ code: 'not-implemented', message }),
    );
  });

  test.each<[path: string, version: string, subpath: string]>([
    ['.', './gems/g', '#gems/g'],
    ['sub/dir', './gems/g', '#sub/dir/gems/g'],
    ['sub/dir', '../g', '#sub/g'],
    ['.', '.', ''],
  ])('gem in the path %s of the package in %s', (path, version, subpath) => {
    const owner = resolved('rubygems', 'App', REF, [dependency('rubygems', 'g', version)], path);
    expect(contents(request([owner]))[0]!.sources).toEqual(
      list(`pkg:generic/App?vcs_url=https%3A%2F%2Fgit.example%2FOrg%2FApp.git%40${REF}${subpath}`),
    );
  });
});

describe('the purl of a package', () => {
  const encodedUrl = 'https%3A%2F%2Fgit.example%2FOrg%2FApp.git';
  test.each<[what: string, ResolvedPackage, repository: string | null, purl: string]>([
    [
      'on a host without a type',
      resolved('npm', 'app', '1'),
      REPOSITORY,
      `pkg:generic/app?vcs_url=${encodedUrl}%40${REF}`,
    ],
    [
      'a slash at the end',
      resolved('npm', 'app', '1'),
      `${REPOSITORY}//`,
      `pkg:generic/app?vcs_url=${encodedUrl}%40${REF}`,
    ],
    ['github', resolved('npm', 'app', '1'), 'https://github.com/Org/App.git', `pkg:github/org/app@${REF}`],
    [
      'github without .git',
      resolved('yarn', 'app', '1'),
      'https://github.com/Org/App/',
      `pkg:github/org/app@${REF}`,
    ],
    [
      'bitbucket',
      resolved('pip', 'app', '1'),
      'https://bitbucket.org/Org/App',
      `pkg:bitbucket/org/app@${REF}`,
    ],
    [
      'credentials and port do not count',
      resolved('pip', 'app', '1'),
      'https://me:secret@GitHub.com:8443/Org/App.git',
      `pkg:github/org/app@${REF}`,
    ],
    ['ssh', resolved('pip', 'app', '1'), 'ssh://git@github.com/Org/App.git', `pkg:github/org/app@${REF}`],
    ['groups', resolved('pip', 'app', '1'), 'https://github.com/A/B/C', `pkg:github/a/b/c@${REF}`],
    [
      'a path of one part',
      resolved('npm', 'app', '1'),
      'https://github.com/solo',
      `pkg:generic/app?vcs_url=https%3A%2F%2Fgithub.com%2Fsolo%40${REF}`,
    ],
    [
      'github as a part of another host',
      resolved('npm', 'app', '1'),
      'https://github.com.bad.example/o/r',
      `pkg:generic/app?vcs_url=https%3A%2F%2Fgithub.com.bad.example%2Fo%2Fr%40${REF}`,
    ],
    [
      'github as a user',
      resolved('npm', 'app', '1'),
      'ssh://github.com@h.example/o/r',
      `pkg:generic/app?vcs_url=ssh%3A%2F%2Fgithub.com%40h.example%2Fo%2Fr%40${REF}`,
    ],
    [
      'the scp form',
      resolved('npm', 'app', '1'),
      'git@github.com:o/r.git',
      `pkg:generic/app?vcs_url=git%40github.com%3Ao%2Fr.git%40${REF}`,
    ],
    [
      'secrets are left out',
      resolved('npm', 'app', '1'),
      'https://me:secret@h.example/o/r',
      `pkg:generic/app?vcs_url=https%3A%2F%2Fh.example%2Fo%2Fr%40${REF}`,
    ],
    [
      'in a directory',
      resolved('npm', 'app', '1', [], 'client/web'),
      'https://github.com/o/r',
      `pkg:github/o/r@${REF}#client/web`,
    ],
    ['a gem', resolved('rubygems', 'r', REF, [], 'x'), 'https://github.com/o/r', `pkg:github/o/r@${REF}#x`],
    [
      'a scoped name',
      resolved('npm', '@s/app', '1'),
      REPOSITORY,
      `pkg:generic/@s/app?vcs_url=${encodedUrl}%40${REF}`,
    ],
    ['an uploaded archive', resolved('npm', 'app', '1', [], 'x'), null, `pkg:generic/app@${REF}#x`],
    [
      'a Go package',
      resolved('go-package', 'example.com/A/b', 'v1.0.0'),
      REPOSITORY,
      'pkg:golang/example.com%2FA%2Fb@v1.0.0',
    ],
    [
      'a Go package without a version',
      resolved('go-package', 'net/http', null),
      REPOSITORY,
      'pkg:golang/net%2Fhttp',
    ],
    [
      'a submodule on github',
      resolved('git-submodule', 'sub', `https://github.com/Org/Sub.git#${SHA}`, [], 'sub'),
      REPOSITORY,
      `pkg:github/org/sub@${SHA}`,
    ],
    [
      'a submodule elsewhere',
      resolved('git-submodule', 'sub', `https://h.example/sub#${SHA}`, [], 'sub'),
      REPOSITORY,
      `pkg:generic/sub?vcs_url=https%3A%2F%2Fh.example%2Fsub%40${SHA}`,
    ],
  ])('%s', (_what, one, repository, purl) => {
    expect(contents(request([one], repository))).toEqual([{ purl, dependencies: [], sources: [] }]);
  });
});

describe('what belongs to a package', () => {
  test.each<PackageType>(['npm', 'yarn', 'pip'])(
    '%s: dependencies without, sources with those for development',
    (type) => {
      const one = resolved(type, 'app', '1', [
        dependency(type, 'z', '1', false),
        dependency(type, 'b', '1', true),
        dependency(type, 'a', '1', false),
        dependency(type, 'a', '1', true),
      ]);
      const prefix = type === 'pip' ? 'pkg:pypi' : 'pkg:npm';
      expect(contents(request([one]))[0]).toMatchObject({
        dependencies: list(`${prefix}/a@1`, `${prefix}/z@1`),
        sources: list(`${prefix}/a@1`, `${prefix}/a@1`, `${prefix}/b@1`, `${prefix}/z@1`),
      });
    },
  );

  test('gems are never for development', () => {
    const one = resolved('rubygems', 'app', REF, [dependency('rubygems', 'a', '1')]);
    expect(contents(request([one]))[0]).toMatchObject({
      dependencies: list('pkg:gem/a@1'),
      sources: list('pkg:gem/a@1'),
    });
  });

  test('Go: packages depend on packages, and come from the modules of their module', () => {
    const packages = [
      resolved('gomod', 'example.com/app', 'v1.0.0', [
        dependency('gomod', 'example.com/y', 'v2.0.0'),
        dependency('gomod', 'example.com/x', 'v1.0.0'),
      ]),
      resolved('gomod', 'example.com/app/nested', 'v0.1.0', [dependency('gomod', 'example.com/n', 'v3.0.0')]),
      resolved('go-package', 'example.com/app', 'v1.0.0', [
        dependency('go-package', 'example.com/x/p', 'v1.0.0'),
        dependency('go-package', 'example.com/app/q', 'v1.0.0'),
        dependency('go-package', 'fmt', null),
      ]),
      resolved('go-package', 'example.com/app/nested/deep', 'v0.1.0'),
      resolved('go-package', 'example.com/apple', 'v1.0.0'),
    ];
    expect(contents(request(packages))).toEqual([
      {
        purl: 'pkg:golang/example.com%2Fapp%2Fnested%2Fdeep@v0.1.0',
        dependencies: [],
        sources: list('pkg:golang/example.com%2Fn@v3.0.0'),
      },
      {
        purl: 'pkg:golang/example.com%2Fapp@v1.0.0',
        dependencies: list(
          'pkg:golang/example.com%2Fapp%2Fq@v1.0.0',
          'pkg:golang/example.com%2Fx%2Fp@v1.0.0',
          'pkg:golang/fmt',
        ),
        sources: list('pkg:golang/example.com%2Fx@v1.0.0', 'pkg:golang/example.com%2Fy@v2.0.0'),
      },
      { purl: 'pkg:golang/example.com%2Fapple@v1.0.0', dependencies: [], sources: [] },
    ]);
  });

  const modules = ['example.com/app', 'example.com/app/lib', 'example.com/tools'];
  test.each<[what: string, type: 'gomod' | 'go-package', name: string, version: string, purl: string]>([
    ['a module of the request', 'gomod', 'example.com/app/lib', './lib', 'example.com%2Fapp%2Flib@v-app/lib'],
    [
      'a directory of a module of the request',
      'gomod',
      'example.com/app/lib/x',
      './lib/x',
      'example.com%2Fapp%2Flib@v-app/lib#x',
    ],
    ['another name, found by its path', 'gomod', 'other.example/y', './y/z', 'example.com%2Fapp@v-app#y/z'],
    [
      'another name, the path of a module',
      'gomod',
      'other.example/y',
      './lib',
      'example.com%2Fapp%2Flib@v-app/lib',
    ],
    [
      'another name, beside the module',
      'gomod',
      'other.example/y',
      '../tools/t',
      'example.com%2Ftools@v-tools#t',
    ],
    ['outside of all modules', 'gomod', 'other.example/y', '../absent/', 'example.com%2Fapp@v-app#../absent'],
    [
      'a package of a module of the request',
      'go-package',
      'example.com/app/lib/p',
      './lib/p',
      'example.com%2Fapp%2Flib%2Fp@v-app/lib',
    ],
    [
      'a package found by its path',
      'go-package',
      'other.example/y/p',
      './lib/p',
      'example.com%2Fapp%2Flib@v-app/lib#p',
    ],
    [
      'a package in the directory of the module',
      'go-package',
      'other.example/y/p',
      './p',
      'example.com%2Fapp@v-app#p',
    ],
  ])('Go, local: %s', (_what, type, name, version, purl) => {
    const local = dependency(type, name, version);
    const packages = [
      ...modules.map((module) =>
        resolved(
          'gomod',
          module,
          `v-${module.replace('example.com/', '')}`,
          module === 'example.com/app' && type === 'gomod' ? [local] : [],
        ),
      ),
      resolved('go-package', 'example.com/app/cmd', 'v-app', type === 'go-package' ? [local] : []),
    ];
    const [one] = contents(request(packages));
    expect(type === 'gomod' ? one!.sources : one!.dependencies).toEqual(list(`pkg:golang/${purl}`));
  });
});

test('several requests: one list, sorted by purl, with repeats', () => {
  const one = request([resolved('npm', 'z', '1'), resolved('npm', 'a', '1')], 'https://github.com/o/z');
  const two = request([resolved('npm', 'a', '1')], 'https://github.com/o/a');
  expect(contents(one, two, two).map(({ purl }) => purl)).toEqual([
    `pkg:github/o/a@${REF}`,
    `pkg:github/o/a@${REF}`,
    `pkg:github/o/z@${REF}`,
    `pkg:github/o/z@${REF}`,
  ]);
});
