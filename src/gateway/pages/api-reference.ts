import type {
  OpenapiDocument,
  OpenapiOperation,
  OpenapiParameter,
  OpenapiSchema,
  Referable,
} from '../rest/cachito/openapi-document.ts';
import { type Html, html } from './html.ts';
import { inline, prose } from './prose.ts';
import { nameOf, schemaText } from './schema-text.ts';

/** An OpenAPI document as a part of a page, for people. */
export function apiReference(document: OpenapiDocument, prefix: string): Html {
  const { tags, components } = document;
  return html`${tags.map(
    (tag) => html`
      <h3>${tag.description}</h3>
      ${operationsOf(document, tag.name).map((one) => operationSection(document, prefix, one))}`,
  )}
      <h3>What the objects hold</h3>
      ${Object.entries(components.schemas).map(([name, schema]) => schemaSection(document, name, schema))}`;
}

interface NamedOperation {
  method: string;
  path: string;
  operation: OpenapiOperation;
  /** Of the operation and of its path. */
  parameters: Referable<OpenapiParameter>[];
}

const METHODS = ['get', 'post', 'patch'];

function operationsOf({ paths }: OpenapiDocument, tag: string): NamedOperation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      if (!operation?.tags.includes(tag)) return [];
      return [
        {
          method,
          path,
          operation,
          parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])],
        },
      ];
    }),
  );
}

function operationSection(document: OpenapiDocument, prefix: string, one: NamedOperation): Html {
  const { method, path, operation, parameters } = one;
  const body = operation.requestBody?.content['application/json']?.schema;
  return html`
      <details>
        <summary><b class="${method}">${method.toUpperCase()}</b> <code>${prefix}${path}</code> <span>${operation.summary}</span></summary>
        <div id="${operation.operationId}">
        ${prose(operation.description)}
        ${prose(operation.security ? 'Needs a login.' : undefined)}
        ${parameters.length === 0 ? null : parameterTable(parameters.map((one) => resolved(document, one)))}
        ${body ? html`<p>Body: ${schemaText(body)}</p>` : null}
        <table><thead><tr><th>Status</th><th>Answer</th><th>Body</th></tr></thead><tbody>${Object.entries(
          operation.responses,
        ).map(([status, response]) => {
          const { description, content = {} } = resolved(document, response);
          return html`<tr><td>${status}</td><td>${inline(description)}</td><td>${contentText(content)}</td></tr>`;
        })}</tbody></table>
        </div>
      </details>`;
}

function parameterTable(parameters: readonly OpenapiParameter[]): Html {
  return html`<table><thead><tr><th>Parameter</th><th>Value</th><th></th></tr></thead><tbody>${parameters.map(
    ({ name, in: place, required, schema, description }) => html`
          <tr><td><code>${name}</code>${place === 'path' ? ' in the path' : required ? ' (required)' : null}</td><td>${schemaText(schema)}${
            schema.default === undefined ? null : `, else ${JSON.stringify(schema.default)}`
          }</td><td>${inline(description)}</td></tr>`,
  )}</tbody></table>`;
}

function contentText(content: Record<string, { schema: OpenapiSchema }>): Html {
  return html`${Object.entries(content).map(
    ([type, { schema }]) => html`<div><code>${type}</code> ${schemaText(schema)}</div>`,
  )}`;
}

function schemaSection(document: OpenapiDocument, name: string, schema: OpenapiSchema): Html {
  const parts = [...(schema.allOf ?? []).map((one) => schemaOf(document, one)), schema];
  const required = parts.flatMap((part) => part.required ?? []);
  const properties = parts.flatMap((part) => Object.entries(part.properties ?? {}));
  return html`
      <details>
        <summary><code>${name}</code></summary>
        <div id="schema-${name}">
        ${prose(schema.description)}
        ${
          properties.length === 0
            ? html`<p>${schemaText(schema)}</p>`
            : html`<table><thead><tr><th>Key</th><th>Value</th><th></th></tr></thead><tbody>${properties.map(
                ([key, value]) => html`
          <tr><td><code>${key}</code>${required.includes(key) ? null : ' (may be absent)'}</td><td>${schemaText(value)}</td><td>${inline(value.description)}</td></tr>`,
              )}</tbody></table>`
        }
        </div>
      </details>`;
}

function resolved<T extends object>(document: OpenapiDocument, referable: Referable<T>): T {
  if (!('$ref' in referable)) return referable;
  const [kind = '', name = ''] = (referable.$ref as string).split('/').slice(-2);
  return (document.components as unknown as Record<string, Record<string, T>>)[kind]![name]!;
}

function schemaOf({ components }: OpenapiDocument, schema: OpenapiSchema): OpenapiSchema {
  return schema.$ref === undefined ? schema : components.schemas[nameOf(schema.$ref)]!;
}
