import { expect, test } from 'vitest';
import { parseOciPath } from '../../../src/gateway/oci/oci-path.ts';

test.each([
  ['', { kind: 'root' }],
  ['/', { kind: 'root' }],
  ['/_catalog', { kind: 'catalog' }],
  ['/auth', { kind: 'token' }],
  ['/token', { kind: 'token' }],
  ['/app/tags/list', { kind: 'tags', name: 'app' }],
  ['/a/b/c/d/manifests/v1', { kind: 'manifest', name: 'a/b/c/d', id: 'v1' }],
  ['/a/blobs/sha256:00', { kind: 'blob', name: 'a', id: 'sha256:00' }],
  ['/a/blobs/sha256%3A00', { kind: 'blob', name: 'a', id: 'sha256:00' }],
  ['/a%2Fb/blobs/x', { kind: 'blob', name: 'a/b', id: 'x' }],
  ['/a/blobs/uploads', { kind: 'uploads', name: 'a' }],
  ['/a/blobs/uploads/', { kind: 'uploads', name: 'a' }],
  ['/a/blobs/uploads/id', { kind: 'upload', name: 'a', id: 'id' }],
  ['/a/referrers/sha256:00', { kind: 'referrers', name: 'a', id: 'sha256:00' }],
  // Names whose components are words of the protocol.
  ['/manifests/manifests/manifests', { kind: 'manifest', name: 'manifests', id: 'manifests' }],
  ['/a/manifests/b/manifests/c', { kind: 'manifest', name: 'a/manifests/b', id: 'c' }],
  ['/a/tags/list/tags/list', { kind: 'tags', name: 'a/tags/list' }],
  ['/blobs/uploads/manifests/v1', { kind: 'manifest', name: 'blobs/uploads', id: 'v1' }],
  ['/a/blobs/uploads/tags/list', { kind: 'tags', name: 'a/blobs/uploads' }],
  ['/auth/tags/list', { kind: 'tags', name: 'auth' }],
])('%s', (path, resource) => {
  expect(parseOciPath(path)).toMatchObject(resource);
});

test.each([
  '/app',
  '/a/b',
  '/tags/list',
  '/a/tags/list/',
  '/a/tags',
  '/a/manifests/',
  '/a/blobs/',
  '/_catalog/',
])('there is nothing at %s', (path) => {
  expect(parseOciPath(path)).toBe(null);
});

test('a path that cannot be decoded', () => {
  expect(() => parseOciPath('/%ff/tags/list')).toThrow(expect.objectContaining({ code: 'name-invalid' }));
});
