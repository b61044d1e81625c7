import { BUILD_FAILURES } from '../../../domain/images/build-failure.ts';
import { BUILD_STATES } from '../../../domain/images/image-build.ts';
import { builder } from '../builder.ts';
import { valuesOf } from '../enum-values.ts';

export const BuildStateEnum = builder.enumType('ImageBuildState', { values: valuesOf(BUILD_STATES) });

export const BuildFailureEnum = builder.enumType('ImageBuildFailureReason', {
  values: valuesOf([...BUILD_FAILURES, 'cancelled']),
});

export const BuildEventTypeEnum = builder.enumType('ImageBuildEventType', {
  values: valuesOf(['state', 'source', 'queue']),
});

export const PublishPolicyEnum = builder.enumType('PublishPolicy', {
  description:
    'REPLACE: the tag moves to the newest build that succeeds. ONCE: a version that was built, or is being built, is refused.',
  values: valuesOf(['replace', 'once']),
});
