import { describe, expect, test } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';

describe('lists of allowed file: dependencies', () => {
  const NAME = 'STOWAGE_YARN_FILE_DEPS_ALLOWLIST';

  test('are JSON', () => {
    expect(readSettings({}).yarnFileDepsAllowlist).toEqual({});
    expect(readSettings({ [NAME]: '{"a": ["b", "@c/d"], "e": []}' }).yarnFileDepsAllowlist).toEqual({
      a: ['b', '@c/d'],
      e: [],
    });
    expect(readSettings({ STOWAGE_NPM_FILE_DEPS_ALLOWLIST: '{"a": ["b"]}' }).npmFileDepsAllowlist).toEqual({
      a: ['b'],
    });
  });

  test.for(['a', '[]', 'null', '1', '{"a": "b"}', '{"a": [1]}', '{"a": {"b": []}}'])('not %s', (text) => {
    expect(() => readSettings({ [NAME]: text })).toThrow(
      `${NAME} must be a JSON object of the form {"package": ["dependency"]}`,
    );
  });
});

describe('the cap of what the Fandogh CLI uploads', () => {
  const NAME = 'STOWAGE_FANDOGH_UPLOAD_BYTES';

  test('is 512 MiB, and another one if that is said', () => {
    expect(readSettings({}).fandoghUploadBytes).toBe(536_870_912);
    expect(readSettings({ [NAME]: '200000000' }).fandoghUploadBytes).toBe(200_000_000);
  });

  test.for(['199999999', '0', '-1', '1e9', 'x'])('not %s', (text) => {
    expect(() => readSettings({ [NAME]: text })).toThrow(`${NAME} must be a whole number from 200000000 to`);
  });
});
