import { probeServices } from '../../../domain/status/probe-services.ts';
import {
  type ServiceStatus,
  type SystemStatus,
  whyUnavailable,
} from '../../../domain/status/system-status.ts';
import { builder } from '../builder.ts';
import { PackageManagerEnum } from '../bundle-requests/enums.ts';

const ServiceStatusRef = builder.objectRef<ServiceStatus>('ServiceStatus').implement({
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    ok: t.exposeBoolean('ok', { nullable: false }),
    reason: t.exposeString('reason', { description: 'Why it is not ok.' }),
  }),
});

const ManagerStatusRef = builder
  .objectRef<SystemStatus['canProcess'][number]>('PackageManagerStatus')
  .implement({
    fields: (t) => ({
      packageManager: t.expose('packageManager', { type: PackageManagerEnum, nullable: false }),
      ok: t.exposeBoolean('ok', { nullable: false }),
    }),
  });

const SystemStatusRef = builder.objectRef<SystemStatus>('SystemStatus').implement({
  description: 'How the services that everything depends on are, as of a few seconds ago.',
  fields: (t) => ({
    services: t.expose('services', {
      type: [ServiceStatusRef],
      nullable: false,
      description: 'Our own services, then git and the upstreams as the workers see them.',
    }),
    workers: t.expose('workers', { type: [ServiceStatusRef], nullable: false }),
    canProcess: t.expose('canProcess', {
      type: [ManagerStatusRef],
      nullable: false,
      description: 'Which package managers can work now.',
    }),
    unavailable: t.string({
      description: 'What is wrong, in one line; null when all is well.',
      resolve: whyUnavailable,
    }),
  }),
});

builder.queryFields((t) => ({
  status: t.field({
    type: SystemStatusRef,
    nullable: false,
    description: 'For everybody.',
    resolve: (_root, _args, context) => probeServices(context),
  }),
}));
