import { GraphQLError, type ValidationRule } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { isStorable, isStorableText } from '../../domain/storable-text.ts';

/**
 * PostgreSQL keeps neither NUL characters nor halves of surrogate pairs: such texts are refused here, once for all
 * arguments, instead of as defects of whatever statement meets them.
 */
export const storableText: Plugin = {
  onValidate: ({ addValidationRule }) => addValidationRule(literalsAreStorable),
  onExecute: ({ args, setResultAndStopExecution }) => {
    if (!isStorable(args.variableValues)) setResultAndStopExecution({ errors: [refusal()] });
  },
  onSubscribe: ({ args, setResultAndStopExecution }) => {
    if (!isStorable(args.variableValues)) setResultAndStopExecution({ errors: [refusal()] });
  },
};

const literalsAreStorable: ValidationRule = (context) => ({
  StringValue(node) {
    if (!isStorableText(node.value)) context.reportError(refusal({ nodes: node }));
  },
});

function refusal(options: ConstructorParameters<typeof GraphQLError>[1] = {}): GraphQLError {
  return new GraphQLError('Texts must not contain NUL characters or halves of surrogate pairs', {
    ...options,
    extensions: { code: 'invalid-input' },
  });
}
