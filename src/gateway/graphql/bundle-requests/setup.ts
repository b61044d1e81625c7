import type { StoredConfigurationFile } from '../../../domain/bundle-requests/setup.ts';
import type { EnvironmentVariable } from '../../../domain/bundles/bundle-file.ts';
import { builder } from '../builder.ts';
import { VariableKindEnum } from './enums.ts';

export const EnvironmentVariableRef = builder
  .objectRef<EnvironmentVariable>('EnvironmentVariable')
  .implement({
    fields: (t) => ({
      name: t.exposeString('name', { nullable: false }),
      value: t.exposeString('value', { nullable: false }),
      kind: t.expose('kind', { type: VariableKindEnum, nullable: false }),
    }),
  });

export const ConfigurationFileRef = builder
  .objectRef<StoredConfigurationFile>('ConfigurationFile')
  .implement({
    fields: (t) => ({
      path: t.exposeString('path', {
        nullable: false,
        description: 'Relative to the root of the unpacked bundle.',
      }),
      content: t.exposeString('encoded', { nullable: false, description: 'Base64.' }),
      text: t.string({
        description: 'The content as text, if it is UTF-8.',
        resolve: ({ content }) => textOf(content),
      }),
    }),
  });

function textOf(content: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return null;
  }
}
