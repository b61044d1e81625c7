import { createHash } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { netrcPath } from '../../downloads/credentials.ts';
import type { ResolveContext } from '../ecosystem.ts';
import type { GoConfiguration } from './go-configuration.ts';
import type { ToolchainChoice } from './toolchain.ts';
import type { Upstream } from './upstream.ts';

/** Directories and variables for the go commands of one resolution. */
export interface GoEnvironment {
  /** GOMODCACHE */
  moduleCache: string;
  /** Without GOWORK, which each module has of its own. */
  variables: Record<string, string>;
}

interface GoSetup {
  go: GoConfiguration;
  toolchain: ToolchainChoice;
  upstream: Upstream;
  /** Of the proxy on loopback. */
  proxyUrl: string;
}

/** Of the worker's own environment: how to find programs and to reach the network. */
const PASSED = [
  'PATH',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'http_proxy',
  'HTTP_PROXY',
  'https_proxy',
  'HTTPS_PROXY',
  'no_proxy',
  'NO_PROXY',
];

/** Lists of packages must not depend on the machine of the worker. */
const TARGET = { GOOS: 'linux', GOARCH: 'amd64' };

/** Caches of different upstreams are kept apart: what one serves must not answer for another. */
export async function prepareGoEnvironment(
  { settings, request, temporaryDirectory }: ResolveContext,
  { go, toolchain, upstream, proxyUrl }: GoSetup,
): Promise<GoEnvironment> {
  const identity = JSON.stringify([upstream.proxies.map(({ url }) => url), upstream.rest, go.gonoproxy]);
  const key = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const root = join(settings.dataDir, 'cache', 'gomod');
  const home = await prepareHome(temporaryDirectory, go);
  const scratch = join(temporaryDirectory, 'tmp');
  const moduleCache = join(root, key, 'mod');
  const buildCache = join(root, 'build');
  for (const directory of [scratch, moduleCache, buildCache]) await mkdir(directory, { recursive: true });
  return {
    moduleCache,
    variables: {
      ...passedVariables(),
      ...TARGET,
      HOME: home,
      TMPDIR: scratch,
      LC_ALL: 'C',
      GOENV: 'off',
      GOFLAGS: '-modcacherw',
      GO111MODULE: 'on',
      GOPATH: join(root, key),
      GOMODCACHE: moduleCache,
      GOCACHE: buildCache,
      GOPROXY: [...(upstream.proxies.length > 0 ? [proxyUrl] : []), ...upstream.rest].join(',') || 'off',
      GOSUMDB: go.gosumdb,
      GOPRIVATE: go.goprivate,
      GONOPROXY: go.gonoproxy,
      GONOSUMDB: go.gonosumdb,
      GOINSECURE: go.goinsecure,
      GOTOOLCHAIN: toolchain,
      CGO_ENABLED: request.flags.has('cgo-disable') ? '0' : '1',
      ...gitVariables(settings),
    },
  };
}

/** go keeps notes about its use in the home directory, unless it is told not to. */
async function prepareHome(temporaryDirectory: string, go: GoConfiguration): Promise<string> {
  const home = join(temporaryDirectory, 'home');
  const telemetry = join(home, '.config', 'go', 'telemetry');
  await mkdir(telemetry, { recursive: true, mode: 0o700 });
  await writeFile(join(telemetry, 'mode'), 'off');
  if (go.gonoproxy !== '') {
    const own = join(home, '.netrc');
    await writeFile(own, '', { mode: 0o600 });
    await copyFile(netrcPath(), own).catch(() => undefined);
  }
  return home;
}

/** For modules that go fetches from their repositories. */
function gitVariables({
  gitConfig,
  gitAllowedProtocols,
}: ResolveContext['settings']): Record<string, string> {
  const protocols = gitAllowedProtocols.filter((protocol) => /^[a-z]+$/.test(protocol) && protocol !== 'ext');
  return {
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: gitConfig ?? '/dev/null',
    GIT_ALLOW_PROTOCOL: protocols.join(':'),
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
  };
}

function passedVariables(): Record<string, string> {
  return Object.fromEntries(
    PASSED.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
