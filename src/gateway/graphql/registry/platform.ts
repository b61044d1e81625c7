import type { Platform } from '../../../domain/registry/manifest-document.ts';
import { builder } from '../builder.ts';

export const PlatformRef = builder.objectRef<Platform>('Platform').implement({
  fields: (t) => ({
    os: t.exposeString('os'),
    architecture: t.exposeString('architecture'),
    variant: t.exposeString('variant'),
    name: t.string({
      nullable: false,
      description: '`linux/arm64/v8`; `unknown` for what is not known.',
      resolve: ({ os, architecture, variant }) =>
        [os ?? 'unknown', architecture ?? 'unknown', ...(variant === null ? [] : [variant])].join('/'),
    }),
  }),
});

/** null: nothing is known. */
export function platformOrNull({ os, architecture, variant }: Platform): Platform | null {
  return os === null && architecture === null ? null : { os, architecture, variant };
}
