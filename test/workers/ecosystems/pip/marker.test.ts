import { expect, test } from 'vitest';
import { mayApply, parseMarker } from '../../../../src/workers/ecosystems/pip/marker.ts';

const LINUX = {
  sys_platform: 'linux',
  platform_machine: 'x86_64',
  os_name: 'posix',
  python_version: '3.11',
  platform_python_implementation: 'CPython',
};

test.each([
  ['python_version >= "3.8"', true],
  ['python_version < "3.8"', false],
  ['python_version < "3.9" or sys_platform == "linux"', true],
  ['python_version >= "3.9" and sys_platform == "win32"', false],
  ['"3.8" <= python_version', true],
  ['"3.12" <= python_version', false],
  ['python_version ~= "3.11"', true],
  ['python_version == "3.*"', true],
  ['python_version in "3.10, 3.11"', true],
  ['platform_machine not in "aarch64 arm64"', true],
  ['sys.platform != "linux"', false],
  ["os_name == 'posix' and (python_version < '3' or platform_machine == 'x86_64')", true],
  ['extra == "dev"', false],
  ['extra == "dev" or os_name == "posix"', true],
  // What is not known may be so.
  ['platform_release >= "5"', true],
  ['platform_release >= "5" and sys_platform == "win32"', false],
  ['python_full_version < "3.11.4"', true],
])('%s', (text, applies) => {
  expect(mayApply(parseMarker(text), LINUX)).toBe(applies);
});
