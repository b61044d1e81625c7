import { type DocumentNode, type ExecutionArgs, Kind, type OperationDefinitionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { currentSpan, type Span, untilOver } from '../../domain/tracing/span.ts';
import type { Tracing } from '../../domain/tracing/tracing.ts';

/** Each operation of a client as a span: its name, never its text. Of a subscription, until it is open. */
export function tracedOperations(tracing: Tracing): Plugin {
  const begin = (args: ExecutionArgs): Span => {
    const { name, attributes } = describeOperation(args.document, args.operationName);
    // Those of a web socket are parts of no request.
    return (
      currentSpan()?.child(name, attributes) ??
      tracing.start(name, { kind: 'server', parent: null, attributes })
    );
  };
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn((args: ExecutionArgs) => run(begin(args), () => executeFn(args)));
    },
    onSubscribe({ subscribeFn, setSubscribeFn }) {
      setSubscribeFn((args: ExecutionArgs) => run(begin(args), () => subscribeFn(args)));
    },
  };
}

async function run(span: Span, work: () => unknown): Promise<unknown> {
  return await untilOver(span, async () => {
    const result = await work();
    const { errors = [] } = result as { errors?: readonly { extensions?: { code?: unknown } }[] };
    if (errors[0])
      span.fail(typeof errors[0].extensions?.code === 'string' ? errors[0].extensions.code : 'error');
    return result;
  });
}

export function describeOperation(document: DocumentNode, operationName?: string | null) {
  const operation = document.definitions.find(
    (one): one is OperationDefinitionNode =>
      one.kind === Kind.OPERATION_DEFINITION && (operationName == null || one.name?.value === operationName),
  );
  const type = operation?.operation ?? 'query';
  const name = operation?.name?.value.slice(0, LONGEST_NAME);
  return {
    name: name === undefined ? type : `${type} ${name}`,
    attributes: {
      'graphql.operation.type': type,
      ...(name !== undefined && { 'graphql.operation.name': name }),
    },
  };
}

const LONGEST_NAME = 100;
