import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  imageManifest,
  OCI_CONFIG,
  OCI_EMPTY,
  OCI_INDEX,
  OCI_LAYER,
  RegistryStack,
} from '../../support/registry-stack.ts';

/**
 * What the conformance suites ask for, as one story for each kind of content (oci-registry.md 11): everything goes in, is
 * listed, read and found, and goes out again, while all kinds share one image.
 */
const NAME = 'apps/images/life-cycle';
const EXAMPLE = 'application/vnd.example.thing.v1+json';

type Algorithm = 'sha256' | 'sha512';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  [field: string]: unknown;
}

/** Content that belongs together, with manifests in the order in which they can be pushed. */
class Content {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests: { descriptor: Descriptor; text: string; subject?: string }[] = [];
  /** On the last manifest. */
  readonly tags: string[] = [];
  readonly algorithm: Algorithm;

  constructor(algorithm: Algorithm = 'sha256') {
    this.algorithm = algorithm;
  }

  blob(bytes: Buffer | string, mediaType: string): Descriptor {
    const content = Buffer.from(bytes);
    const descriptor = this.#describe(content, mediaType);
    this.blobs.set(descriptor.digest, content);
    return descriptor;
  }

  layer(mediaType = OCI_LAYER): Descriptor {
    return this.blob(gzipSync(randomBytes(200)), mediaType);
  }

  config(fields: object = {}): Descriptor {
    const nonce = randomBytes(8).toString('hex');
    return this.blob(JSON.stringify({ os: 'linux', architecture: 'amd64', nonce, ...fields }), OCI_CONFIG);
  }

  image(fields: Record<string, unknown> = {}): Descriptor {
    return this.#manifest(imageManifest({ config: this.config(), layers: [this.layer()], ...fields }));
  }

  artifact(fields: Record<string, unknown> = {}): Descriptor {
    const empty = this.blob('{}', OCI_EMPTY);
    return this.#manifest(
      imageManifest({ artifactType: EXAMPLE, config: empty, layers: [this.layer(EXAMPLE)], ...fields }),
    );
  }

  index(manifests: object[], fields: object = {}): Descriptor {
    return this.#manifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests, ...fields });
  }

  tagged(...tags: string[]): this {
    this.tags.push(...tags);
    return this;
  }

  #manifest(document: object): Descriptor {
    const { mediaType, subject } = document as { mediaType: string; subject?: Descriptor };
    const nonce = randomBytes(8).toString('hex');
    const text = JSON.stringify({ ...document, 'org.example.nonce': nonce });
    const descriptor = this.#describe(Buffer.from(text), mediaType);
    this.manifests.push({ descriptor, text, ...(subject && { subject: subject.digest }) });
    return descriptor;
  }

  #describe(bytes: Buffer, mediaType: string): Descriptor {
    const hex = createHash(this.algorithm).update(bytes).digest('hex');
    return { mediaType, digest: `${this.algorithm}:${hex}`, size: bytes.length };
  }
}

const make = (build: (content: Content) => void, algorithm?: Algorithm) => () => {
  const content = new Content(algorithm);
  build(content);
  return content;
};

const STORIES: [string, () => Content][] = [
  ['an image', make((one) => void one.tagged('image').image())],
  [
    'an uncompressed image',
    make((one) => {
      one
        .tagged('plain')
        .image({ layers: [one.blob(randomBytes(200), 'application/vnd.oci.image.layer.v1.tar')] });
    }),
  ],
  [
    'a large manifest',
    make((one) => {
      const annotations = Object.fromEntries(
        Array.from({ length: 390 }, (_, n) => [`large-${n}`, 'A'.repeat(10_000)]),
      );
      one.tagged('large').image({ annotations });
    }),
  ],
  ['an index', make((one) => void one.tagged('index').index([one.image(), one.image()]))],
  [
    'an index of indexes',
    make((one) => {
      one.tagged('nested').index([one.index([one.image()]), one.index([one.image(), one.image()])]);
    }),
  ],
  ['an empty index', make((one) => void one.tagged('empty').index([]))],
  ['an artifact', make((one) => void one.tagged('artifact').artifact())],
  [
    'an artifact without layers',
    make((one) => {
      one.tagged('bare').artifact({ layers: [one.blob('{}', OCI_EMPTY)] });
    }),
  ],
  [
    'an index of artifacts',
    make((one) => {
      one.tagged('artifacts').index([one.artifact(), one.artifact()], { artifactType: EXAMPLE });
    }),
  ],
  [
    'what refers to an image',
    make((one) => {
      const subject = one.image();
      one.image({ subject });
      one.artifact({ subject, annotations: { hello: 'one' } });
      one
        .tagged('referrer')
        .artifact({ subject, artifactType: `${EXAMPLE}.other`, annotations: { hello: 'two' } });
    }),
  ],
  [
    'an index that refers to an index',
    make((one) => {
      const subject = one.index([one.image()]);
      one
        .tagged('referring-index')
        .index([one.artifact()], { subject, artifactType: EXAMPLE, annotations: { a: 'b' } });
    }),
  ],
  [
    'what refers to nothing',
    make((one) => {
      const subject = new Content().image();
      one.tagged('lost').artifact({ subject });
    }),
  ],
  [
    'descriptors with data',
    make((one) => {
      const config = one.config();
      const data = one.blobs.get(config.digest)!.toString('base64');
      one.tagged('data').image({ config: { ...config, data } });
    }),
  ],
  [
    'layers that are elsewhere',
    make((one) => {
      const elsewhere = {
        ...new Content().layer(),
        mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
      };
      const urls = ['https://registry.example/layer'];
      one.tagged('foreign').image({ layers: [{ ...elsewhere, urls }, one.layer()] });
    }),
  ],
  [
    'fields of somebody',
    make((one) => {
      const config = one.config({ 'org.example.more': { a: [1] } });
      one.tagged('fields').image({ config: { ...config, more: true }, 'org.example.more': [null] });
    }),
  ],
  ['no layers', make((one) => void one.tagged('none').image({ layers: [] }))],
  ['everything by sha512', make((one) => void one.index([one.image(), one.artifact()]), 'sha512')],
  ['two tags with one push', make((one) => void one.tagged('first', 'second').index([one.image()]))],
  [
    'two tags with one push by sha512',
    make((one) => {
      one.tagged('third', 'fourth').index([one.image()]);
    }, 'sha512'),
  ],
];

let stack: RegistryStack;
const at = (path: string) => `/v2/${NAME}/${path}`;

beforeAll(async () => {
  stack = await RegistryStack.start();
  // Is there all the time, and stays as it is.
  await stack.pushImage(NAME, 'a-neighbour');
});
afterAll(async () => await stack?.close());

describe.each(STORIES)('%s', (_name, content) => {
  test('goes in, is there, and goes out again', async () => {
    const one = content();
    await push(one);
    await find(one);
    await remove(one);
    const { tags } = (await stack.call('GET', at('tags/list'))).json();
    expect(tags).toEqual(['a-neighbour']);
    expect((await stack.call('GET', at('manifests/a-neighbour'))).status).toBe(200);
  });
});

async function push({ blobs, manifests, tags, algorithm }: Content): Promise<void> {
  for (const [digest, bytes] of blobs) {
    expect((await stack.call('HEAD', at(`blobs/${digest}`))).status).toBe(404);
    const answer = await stack.call('POST', at(`blobs/uploads/?digest=${digest}`), { body: bytes });
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([201, digest]);
  }
  for (const { descriptor, text, subject } of manifests) {
    const isLast = descriptor === manifests.at(-1)!.descriptor;
    const own = isLast && (tags.length > 1 || algorithm === 'sha512') ? tags : [];
    const query = own.length > 0 ? `?${own.map((tag) => `tag=${tag}`).join('&')}` : '';
    const answer = await stack.putManifest(NAME, descriptor.digest, text, { query });
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([201, descriptor.digest]);
    expect(answer.headers.get('oci-subject')).toBe(subject ?? null);
    expect(answer.headers.get('oci-tag')).toBe(own.length > 0 ? own.join(', ') : null);
    const read = await stack.call('GET', answer.headers.get('location')!);
    expect(read.body.toString()).toBe(text);
  }
  const last = manifests.at(-1)!;
  for (const tag of algorithm === 'sha256' && tags.length === 1 ? tags : []) {
    expect((await stack.putManifest(NAME, tag, last.text)).status).toBe(201);
  }
}

async function find({ blobs, manifests, tags }: Content): Promise<void> {
  const listed = (await stack.call('GET', at('tags/list'))).json().tags;
  expect(listed).toEqual(['a-neighbour', ...tags].sort());
  const named = tags.map((tag) => [tag, manifests.at(-1)!] as const);
  for (const [reference, { descriptor, text }] of [
    ...named,
    ...manifests.map((manifest) => [manifest.descriptor.digest, manifest] as const),
  ]) {
    for (const method of ['HEAD', 'GET']) {
      const answer = await stack.call(method, at(`manifests/${reference}`));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('docker-content-digest')).toBe(descriptor.digest);
      expect(answer.headers.get('content-type')).toBe(descriptor.mediaType);
      expect(answer.headers.get('content-length')).toBe(String(descriptor.size));
      expect(answer.body.toString()).toBe(method === 'GET' ? text : '');
    }
  }
  for (const [digest, bytes] of blobs) {
    const answer = await stack.call('GET', at(`blobs/${digest}`));
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([200, digest]);
    expect(answer.body.equals(bytes)).toBe(true);
  }
  for (const { descriptor, text, subject } of manifests) {
    if (!subject) continue;
    const { artifactType, config, annotations } = JSON.parse(text);
    const type = artifactType ?? config.mediaType;
    const answer = await stack.call(
      'GET',
      at(`referrers/${subject}?artifactType=${encodeURIComponent(type)}`),
    );
    expect(answer.headers.get('content-type')).toBe(OCI_INDEX);
    expect(answer.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(answer.json().manifests).toContainEqual({
      ...descriptor,
      artifactType: type,
      ...(annotations && { annotations }),
    });
  }
}

async function remove({ blobs, manifests, tags }: Content): Promise<void> {
  for (const path of [
    ...tags.map((tag) => `manifests/${tag}`),
    ...manifests.map(({ descriptor }) => `manifests/${descriptor.digest}`).reverse(),
    ...[...blobs.keys()].map((digest) => `blobs/${digest}`),
  ]) {
    expect((await stack.call('DELETE', at(path))).status).toBe(202);
    expect((await stack.call('HEAD', at(path))).status).toBe(404);
    expect((await stack.call('DELETE', at(path))).status).toBe(404);
  }
  for (const { subject } of manifests) {
    if (!subject) continue;
    expect((await stack.call('GET', at(`referrers/${subject}`))).json().manifests).toEqual([]);
  }
}
