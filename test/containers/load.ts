import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type SubmissionInput, submitRequest } from '../../src/cli/client/bundle-requests.ts';
import { submitBuild } from '../../src/cli/client/image-builds.ts';
import { ConnectionLostError, StowageClient } from '../../src/cli/client/stowage-client.ts';
import { uploadSource } from '../../src/cli/client/upload-source.ts';
import { writeFixtureImage } from '../live/registry/fixture-image.ts';
import { type Deployment, PASSWORD } from './deployment.ts';
import { OciClient } from './oci-client.ts';
import { patiently } from './patience.ts';
import type { Random } from './random.ts';
import { Subscriber, type Topic, type Transport } from './subscriber.ts';
import * as topics from './topics.ts';
import { archiveOf, contextOf, type Upstreams } from './upstreams.ts';

/** What users ask for in a run, and how often. */
const ACTIONS = {
  'npm request': 6,
  'pip request': 4,
  'npm and pip request': 2,
  'request of the Cachito dialect': 4,
  'uploaded archive': 4,
  'image build': 4,
  'push in chunks': 5,
  'push by skopeo': 2,
} as const;

type Action = keyof typeof ACTIONS;

const USERS = 5;

export interface Followed {
  kind: 'request events' | 'request log' | 'build events' | 'build log';
  number: number;
  subscriber: Subscriber;
}

/** What the server has said that it took. */
export interface Accepted {
  requests: number[];
  builds: number[];
  /** Names with tags, and the digest that was pushed. */
  tags: Map<string, string>;
  followed: Followed[];
  /** Those who follow all requests, from the beginning on. */
  feeds: Subscriber[];
  /** Answers that did not arrive: the server may have done the work twice, or never. */
  lostAnswers: number;
}

/** Users who work side by side, and do again what got no answer. */
export class Load {
  readonly accepted: Accepted = {
    requests: [],
    builds: [],
    tags: new Map(),
    followed: [],
    feeds: [],
    lostAnswers: 0,
  };
  readonly #deployment: Deployment;
  readonly #upstreams: Upstreams;
  readonly #random: Random;
  readonly #client: StowageClient;
  readonly #oci: OciClient;
  #count = 0;

  constructor(deployment: Deployment, upstreams: Upstreams, random: Random) {
    this.#deployment = deployment;
    this.#upstreams = upstreams;
    this.#random = random;
    this.#client = new StowageClient(deployment);
    this.#oci = new OciClient(deployment);
  }

  /** Ends when everything has been accepted. */
  async run(): Promise<void> {
    const all = Object.entries(ACTIONS).flatMap(([action, times]) => Array(times).fill(action as Action));
    // Whoever of the users comes to it does the same.
    const left = this.#random
      .shuffled<Action>(all)
      .map((action) => ({ action, random: this.#random.fork() }));
    const user = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        await sleep(next.random.between(300, 2_500));
        await this.#do(next.action, next.random);
      }
    };
    for (const transport of ['sse', 'graphql-ws'] as const)
      this.accepted.feeds.push(new Subscriber(this.#deployment, transport, topics.requestFeed));
    await Promise.all(Array.from({ length: USERS }, user));
  }

  async #do(action: Action, random: Random): Promise<void> {
    this.#count += 1;
    const id = this.#count;
    switch (action) {
      case 'npm request':
        return await this.#request(this.#sourceOf(['npm'], random));
      case 'pip request':
        return await this.#request(this.#sourceOf(['pip'], random));
      case 'npm and pip request':
        return await this.#request(this.#sourceOf(['npm', 'pip'], random));
      case 'request of the Cachito dialect':
        return await this.#cachitoRequest(random);
      case 'uploaded archive':
        return await this.#request({
          upload: await this.#upload(archiveOf(this.#upstreams.npmProject(random))),
        });
      case 'image build':
        return await this.#build(`built-${id}`);
      case 'push in chunks':
        return await this.#push(`apps/images/pushed-${id}`, random);
      case 'push by skopeo':
        return await this.#pushBySkopeo(`apps/images/copied-${id}`);
    }
  }

  #sourceOf(managers: readonly ('npm' | 'pip')[], random: Random): SubmissionInput {
    const { path, head } = this.#upstreams.repository(managers, random);
    return { repository: `file://${path}`, ref: head };
  }

  async #request(input: SubmissionInput): Promise<void> {
    this.#acceptedRequest(
      await this.#answered(() => submitRequest(this.#client, { ...input, project: 'apps' })),
    );
  }

  async #cachitoRequest(random: Random): Promise<void> {
    const { path, head } = this.#upstreams.repository(['npm'], random);
    const number = await this.#answered(async () => {
      const response = await this.#client.send('/api/v1/requests', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ repo: `file://${path}`, ref: head, pkg_managers: ['npm'] }),
      });
      const text = await response.text().catch((error: unknown) => {
        throw new ConnectionLostError(this.#deployment.url, error);
      });
      if (response.status === 503) throw new ConnectionLostError(this.#deployment.url, new Error('503'));
      if (response.status !== 201) throw new Error(`${response.status} ${text}`);
      return (JSON.parse(text) as { id: number }).id;
    });
    this.#acceptedRequest(number);
  }

  async #upload(content: Buffer): Promise<number> {
    return await this.#answered(() =>
      uploadSource(this.#client, {
        fileName: 'source.tar',
        content: pieces(content),
        signal: AbortSignal.timeout(60_000),
      }),
    );
  }

  async #build(image: string): Promise<void> {
    const upload = await this.#upload(contextOf(image));
    const input = { project: 'apps', repository: 'images', image, version: 'v1', upload };
    const number = await this.#answered(() => submitBuild(this.#client, input));
    this.accepted.builds.push(number);
    this.#follow('build events', number, topics.buildEvents(number));
    this.#follow('build log', number, topics.buildLog(number));
  }

  async #push(name: string, random: Random): Promise<void> {
    const layers = [random.bytes(1_500_000), random.bytes(700_000)];
    this.accepted.tags.set(`${name}:v1`, await this.#oci.push(name, 'v1', layers));
  }

  async #pushBySkopeo(name: string): Promise<void> {
    const image = await writeFixtureImage(join(this.#deployment.directory, name.replaceAll('/', '-')));
    const { host } = new URL(this.#deployment.url);
    // An index that is not taken at once would be sent as a Docker manifest list, of another digest.
    const copy = ['copy', '--quiet', '--all', '--preserve-digests', '--insecure-policy'];
    const destination = ['--dest-tls-verify=false', '--dest-creds', `ada:${PASSWORD}`];
    const args = [...copy, ...destination, `oci:${image.layout}:multi`];
    // Its own patience would wait longer each time. Started again, it pushes what is not there yet.
    await this.#answered(() =>
      promisify(execFile)('skopeo', [...args, `docker://${host}/${name}:v1`]).catch((error: unknown) => {
        throw new ConnectionLostError(host, error);
      }),
    );
    this.accepted.tags.set(`${name}:v1`, image.digest);
  }

  #acceptedRequest(number: number): void {
    this.accepted.requests.push(number);
    this.#follow('request events', number, topics.requestEvents(number));
    this.#follow('request log', number, topics.requestLog(number));
  }

  #follow(kind: Followed['kind'], number: number, topic: Topic): void {
    const transport: Transport = this.accepted.followed.length % 3 === 0 ? 'sse' : 'graphql-ws';
    this.accepted.followed.push({
      kind,
      number,
      subscriber: new Subscriber(this.#deployment, transport, topic),
    });
  }

  async #answered<T>(call: () => Promise<T>): Promise<T> {
    const { answer, lost } = await patiently(call);
    this.accepted.lostAnswers += lost;
    return answer;
  }
}

async function* pieces(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
}
