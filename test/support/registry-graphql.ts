import { readEventStream } from '../../src/cli/client/event-stream.ts';
import type { RegistryStack, User } from './registry-stack.ts';

export interface GraphQLResult {
  // biome-ignore lint/suspicious/noExplicitAny: what the test asked for.
  data: any;
  errors?: { message: string; extensions: Record<string, unknown> }[];
}

/** GraphQL on the gateway of a registry stack. */
export class RegistryGraphQL {
  readonly #stack: RegistryStack;

  constructor(stack: RegistryStack) {
    this.#stack = stack;
  }

  async run(query: string, variables: object = {}, as: User = 'ada'): Promise<GraphQLResult> {
    const answer = await this.#stack.call('POST', '/graphql', {
      as,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    return answer.json();
  }

  /** The data of an operation that has no errors. */
  async data(query: string, variables: object = {}, as: User = 'ada'): Promise<GraphQLResult['data']> {
    const { data, errors } = await this.run(query, variables, as);
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** The result of a mutation with one field: its data, or the type, code and message of its refusal. */
  async change(field: string, selection: string, as: User = 'ada') {
    const isLeaf = selection === '';
    const refusal = '... on Error { __typename code message }';
    const typeName = `Mutation${field[0]!.toUpperCase()}${field.slice(1, field.indexOf('('))}Success`;
    const data = `... on ${typeName} { data ${isLeaf ? '' : `{ ${selection} }`} }`;
    const result = await this.data(`mutation { result: ${field} { ${data} ${refusal} } }`, {}, as);
    return 'data' in result.result ? result.result.data : result.result;
  }

  /** Subscribes over SSE; ends when the server completes. */
  async *subscribe(query: string, variables: object = {}, as: User = 'ada'): AsyncGenerator<GraphQLResult> {
    const response = await fetch(`${this.#stack.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...this.#stack.authorization(as),
      },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(30_000),
    });
    for await (const { event, data } of readEventStream(response.body!)) {
      if (event === 'complete') return;
      yield JSON.parse(data);
    }
  }
}
