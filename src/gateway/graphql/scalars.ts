import { GraphQLError } from 'graphql';
import Upload from 'graphql-upload/Upload.mjs';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description: 'A point in time, ISO 8601 in UTC.',
  serialize: (value) => value.toISOString(),
  parseValue: (value) => {
    const time = typeof value === 'string' && /^\d{4}-\d\d-\d\d/.test(value) ? new Date(value) : null;
    if (!time || Number.isNaN(time.getTime())) {
      throw new GraphQLError(`${JSON.stringify(value)} is not a time as in ISO 8601`);
    }
    return time;
  },
});

builder.scalarType('ExactDateTime', {
  description: 'A point in time with microseconds, ISO 8601 in UTC: `2019-09-17T19:42:47.149979Z`.',
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value === 'string' && EXACT_TIME.test(value) && !Number.isNaN(Date.parse(value))) return value;
    throw new GraphQLError(`${JSON.stringify(value)} is not a time in UTC as in ISO 8601`);
  },
});

const EXACT_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
});

builder.scalarType('Bytes', {
  description: 'A number of bytes; a JSON number below 2^53.',
  serialize: (value) => value,
  parseValue: (value) => {
    if (!Number.isSafeInteger(value)) throw new GraphQLError('A number of bytes is a whole number');
    return value as number;
  },
});

builder.scalarType('Upload', {
  description: 'A file of a multipart request (GraphQL multipart request specification).',
  serialize: () => {
    throw new GraphQLError('A file cannot be an answer');
  },
  parseValue: (value) => {
    if (value instanceof Upload) return value.promise;
    throw new GraphQLError('A file is sent as a part of a multipart request');
  },
});
