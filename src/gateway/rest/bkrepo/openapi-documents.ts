import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DIRECTORY = join(import.meta.dirname, '../../../../schema/openapi');

export interface OpenapiFiles {
  json: Buffer;
  yaml: Buffer;
}

/** The descriptions of this dialect, written by hand; a test compares them with the routes and their answers. */
export const EXT_OPENAPI = filesOf('bkrepo-ext.yaml');
export const API_OPENAPI = filesOf('bkrepo-api.yaml');

function filesOf(name: string): OpenapiFiles {
  const yaml = readFileSync(join(DIRECTORY, name));
  return { yaml, json: Buffer.from(JSON.stringify(parse(yaml.toString()))) };
}
