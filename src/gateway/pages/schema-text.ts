import type { OpenapiSchema } from '../rest/cachito/openapi-document.ts';
import { type Html, html } from './html.ts';

/** What a schema allows, in a few words: `array of State`, `string or null`. */
export function schemaText(schema: OpenapiSchema): Html {
  if (schema.$ref !== undefined) return schemaLink(nameOf(schema.$ref));
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum) return joined(schema.enum.map((value) => html`<code>${String(value)}</code>`));
  if (schema.anyOf) return joined(schema.anyOf.map(schemaText));
  if (schema.items) return html`${nullable(schema)}array of ${schemaText(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') {
    return html`object of ${schemaText(schema.additionalProperties)}`;
  }
  return html`${[schema.type ?? 'anything'].flat().join(' or ')}`;
}

function schemaLink(name: string): Html {
  return html`<a href="#schema-${name}">${name}</a>`;
}

/** `#/components/schemas/State` is `State`. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

function joined(texts: readonly Html[]): Html {
  return html`${texts.map((text, at) => (at === 0 ? text : html` or ${text}`))}`;
}

function nullable({ type }: OpenapiSchema): string {
  return Array.isArray(type) && type.includes('null') ? 'null or ' : '';
}
