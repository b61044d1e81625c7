import { NoSchemaIntrospectionCustomRule } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Where clients are not to find out what there is: neither by asking for the schema, nor by guessing at names. */
export const hiddenSchema: Plugin = {
  onValidate({ addValidationRule, validateFn, setValidationFn }) {
    addValidationRule(NoSchemaIntrospectionCustomRule);
    setValidationFn((schema, document, rules, options) =>
      validateFn(schema, document, rules, { ...options, hideSuggestions: true }),
    );
  },
  onExecute({ args }) {
    Object.assign(args, { hideSuggestions: true });
  },
  onSubscribe({ args }) {
    Object.assign(args, { hideSuggestions: true });
  },
};
