import {
  REQUEST_PRIORITIES,
  REQUEST_STATES,
  STEP_TASKS,
} from '../../../domain/bundle-requests/bundle-request.ts';
import { FLAGS, PACKAGE_MANAGERS } from '../../../domain/packages/package.ts';
import { builder } from '../builder.ts';
import { valuesOf } from '../enum-values.ts';

export const PackageManagerEnum = builder.enumType('PackageManager', { values: valuesOf(PACKAGE_MANAGERS) });

export const FlagEnum = builder.enumType('Flag', {
  description: 'What else a request may ask for.',
  values: valuesOf(FLAGS),
});

export const RequestStateEnum = builder.enumType('BundleRequestState', { values: valuesOf(REQUEST_STATES) });

export const RequestPriorityEnum = builder.enumType('BundleRequestPriority', {
  description:
    'Which of the requests of a project begin first. LOW ones yield to those of other projects too.',
  values: valuesOf(REQUEST_PRIORITIES),
});

export const StepTaskEnum = builder.enumType('StepTask', { values: valuesOf(STEP_TASKS) });

export const StepStateEnum = builder.enumType('StepState', {
  values: valuesOf(['waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled']),
});

export const LogLevelEnum = builder.enumType('LogLevel', {
  values: valuesOf(['debug', 'info', 'warn', 'error']),
});

export const VariableKindEnum = builder.enumType('EnvironmentVariableKind', {
  description: 'PATH: relative to the root of the unpacked bundle. LITERAL: as it is.',
  values: valuesOf(['path', 'literal']),
});

export const SetupFormatEnum = builder.enumType('SetupFormat', {
  description:
    "OFFLINE: dependencies are found in the unpacked bundle. REGISTRY: in this service's own registries of the request.",
  values: valuesOf(['offline', 'registry']),
});

export const RequestEventTypeEnum = builder.enumType('BundleRequestEventType', {
  values: valuesOf(['state', 'source', 'plan', 'step', 'progress', 'details']),
});

export const SbomFormatEnum = builder.enumType('SbomFormat', {
  values: { CYCLONEDX: { value: 'cyclonedx-1.6' }, SPDX: { value: 'spdx-2.3' } } as const,
});
