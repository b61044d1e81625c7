import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { sortedJson } from './sorted-json.ts';

/** As far as this program reads it; see https://spec.openapis.org/oas/v3.1.0. */
export interface OpenapiDocument {
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, OpenapiOperation> & { parameters?: Referable<OpenapiParameter>[] }>;
  components: {
    parameters: Record<string, OpenapiParameter>;
    responses: Record<string, OpenapiResponse>;
    schemas: Record<string, OpenapiSchema>;
  };
}

export type Referable<T> = T | { $ref: string };

export interface OpenapiOperation {
  tags: string[];
  operationId: string;
  summary: string;
  description?: string;
  security?: object[];
  parameters?: Referable<OpenapiParameter>[];
  requestBody?: { content: OpenapiContent };
  responses: Record<string, Referable<OpenapiResponse>>;
}

export interface OpenapiParameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: OpenapiSchema;
}

interface OpenapiResponse {
  description: string;
  content?: OpenapiContent;
}

type OpenapiContent = Record<string, { schema: OpenapiSchema }>;

export interface OpenapiSchema {
  $ref?: string;
  description?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  items?: OpenapiSchema;
  anyOf?: OpenapiSchema[];
  allOf?: OpenapiSchema[];
  required?: string[];
  properties?: Record<string, OpenapiSchema>;
  additionalProperties?: OpenapiSchema | boolean;
}

const FILE = join(import.meta.dirname, '../../../../schema/openapi/cachito.yaml');

/** The description of this dialect, written by hand; a test compares it with the routes and their answers. */
export const OPENAPI_YAML: Buffer = readFileSync(FILE);

export const OPENAPI_DOCUMENT = parse(OPENAPI_YAML.toString()) as OpenapiDocument;

export const OPENAPI_JSON: Buffer = Buffer.from(sortedJson(OPENAPI_DOCUMENT));
