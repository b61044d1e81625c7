import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { GraphQLError, parse, validate } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Settings } from '../../domain/config.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { schema } from './schema.ts';

/** What a client sends instead of a document, or with one. */
export interface OperationParameters {
  query?: string | null | undefined;
  /** As in the appendix of GraphQL over HTTP. */
  documentId?: unknown;
  /** `persistedQuery`: as Apollo's clients do it. */
  extensions?: Record<string, unknown> | null | undefined;
}

/** Parameters of a request besides those of GraphQL itself. */
export const EXTRA_PARAMETERS = ['documentId'];

/** Documents that the operator knows, and that clients may name instead of sending them (docs/graphql.md). */
export class PersistedOperations {
  readonly #documents: ReadonlyMap<string, string>;
  readonly #isComplete: boolean;

  private constructor(documents: ReadonlyMap<string, string>, isComplete: boolean) {
    this.#documents = documents;
    this.#isComplete = isComplete;
  }

  /** Throws InvalidInputError for a file that is none, or whose documents do not fit the schema. */
  static async open({
    graphqlOperations,
    graphqlOnlyOperations,
  }: Pick<Settings, 'graphqlOperations' | 'graphqlOnlyOperations'>): Promise<PersistedOperations> {
    const documents =
      graphqlOperations === null
        ? new Map<string, string>()
        : parseDocuments(await readFile(graphqlOperations, 'utf8'));
    return new PersistedOperations(documents, graphqlOnlyOperations);
  }

  /** The same with the document that is meant. Throws GraphQLError. */
  resolve<Parameters extends OperationParameters>(parameters: Parameters): Parameters {
    const id = idIn(parameters);
    const { query } = parameters;
    // Web sockets have to send a text.
    if (!query && id !== null) {
      const document = this.#documents.get(id);
      if (document === undefined) throw refusal('PersistedQueryNotFound', 'PERSISTED_QUERY_NOT_FOUND');
      return { ...parameters, query: document };
    }
    if (this.#isComplete && typeof query === 'string' && this.#documents.get(sha256(query)) !== query) {
      throw refusal('Only operations that the server knows are allowed', 'forbidden');
    }
    return parameters;
  }
}

/** Over HTTP; web sockets ask {@link PersistedOperations} themselves. */
export function persistedOperations(operations: PersistedOperations): Plugin {
  return {
    onParams({ params, setParams }) {
      setParams(operations.resolve(params));
    },
  };
}

function idIn({ documentId, extensions }: OperationParameters): string | null {
  const { sha256Hash } = (extensions?.persistedQuery ?? {}) as { sha256Hash?: unknown };
  const id = documentId ?? sha256Hash;
  return typeof id === 'string' ? id.replace(/^sha256:/, '') : null;
}

function refusal(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

/** A JSON array of documents, or an object of them, as tools write it: their names are the sha256 of the text anyway. */
function parseDocuments(text: string): Map<string, string> {
  const wrong = (why: string, cause?: unknown): InvalidInputError =>
    new InvalidInputError(`STOWAGE_GRAPHQL_OPERATIONS: ${why}`, { cause });
  let list: unknown;
  try {
    list = Object.values(JSON.parse(text) as object);
  } catch (cause) {
    throw wrong('the file is no JSON', cause);
  }
  if (!(list as unknown[]).every((one) => typeof one === 'string')) {
    throw wrong('the file must be a JSON array or object of documents');
  }
  return new Map((list as string[]).map((document) => [sha256(requireValid(document, wrong)), document]));
}

function requireValid(document: string, wrong: (why: string, cause?: unknown) => InvalidInputError): string {
  try {
    const [mistake] = validate(schema, parse(document), undefined, { hideSuggestions: true });
    if (mistake) throw mistake;
    return document;
  } catch (cause) {
    throw wrong(`${(cause as Error).message} (in "${document.trim().slice(0, 60)}")`, cause);
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
