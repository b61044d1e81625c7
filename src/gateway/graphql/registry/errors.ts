import { RegistryError } from '../../../domain/registry/errors.ts';
import { builder } from '../builder.ts';
import { ErrorInterface } from '../errors.ts';

builder.objectType(RegistryError, {
  name: 'RegistryError',
  description:
    'What the registry refuses, with a code of its own: `name-unknown`, `manifest-unknown`, `registry-denied`.',
  interfaces: [ErrorInterface],
});

/** For mutations of the registry: what else they may refuse. */
export const REFUSALS = { types: [RegistryError] };
