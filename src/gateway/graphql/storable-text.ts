import { GraphQLError, type ValidationRule } from 'graphql';
import type { Plugin } from 'graphql-yoga';

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

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return isStorableText(value);
  if (typeof value !== 'object' || value === null) return true;
  // Uploads and such have nothing to look at.
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return true;
  return Object.values(value).every(isStorable);
}

function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function refusal(options: ConstructorParameters<typeof GraphQLError>[1] = {}): GraphQLError {
  return new GraphQLError('Texts must not contain NUL characters or halves of surrogate pairs', {
    ...options,
    extensions: { code: 'invalid-input' },
  });
}
