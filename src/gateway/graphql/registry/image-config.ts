import type { HistoryEntry, ImageConfig } from '../../../domain/registry/image-config.ts';
import { builder } from '../builder.ts';

const HistoryEntryRef = builder.objectRef<HistoryEntry>('HistoryEntry').implement({
  fields: (t) => ({
    created: t.exposeString('created', { description: 'As it is written there.' }),
    createdBy: t.exposeString('createdBy'),
    comment: t.exposeString('comment'),
    author: t.exposeString('author'),
    isEmptyLayer: t.exposeBoolean('isEmptyLayer', { nullable: false }),
  }),
});

const LabelRef = builder.objectRef<{ name: string; value: string }>('Label').implement({
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    value: t.exposeString('value', { nullable: false }),
  }),
});

export const ImageConfigRef = builder.objectRef<ImageConfig>('ImageConfig').implement({
  description: 'What the config of an image says.',
  fields: (t) => ({
    history: t.expose('history', { type: [HistoryEntryRef], nullable: false }),
    labels: t.expose('labels', { type: [LabelRef], nullable: false }),
    created: t.exposeString('createdAt', { description: 'As it is written there.' }),
    author: t.exposeString('author'),
    user: t.exposeString('user'),
    workingDirectory: t.exposeString('workingDirectory'),
    environment: t.exposeStringList('environment', { nullable: false }),
    entrypoint: t.exposeStringList('entrypoint', { nullable: false }),
    command: t.exposeStringList('command', { nullable: false }),
    exposedPorts: t.exposeStringList('exposedPorts', { nullable: false }),
  }),
});
