import { setTimeout as sleep } from 'node:timers/promises';

/** What a build system does: submits, and asks again and again until the request has ended. */
export class CachitoClient {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, headers: Record<string, string>) {
    this.#url = url;
    this.#headers = headers;
  }

  requestUrl(id: number): string {
    return `${this.#url}/api/v1/requests/${id}`;
  }

  async submit(body: Record<string, unknown>): Promise<number> {
    const response = await fetch(`${this.#url}/api/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.#headers },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`${response.status}: ${text}`);
    return (JSON.parse(text) as { id: number }).id;
  }

  // biome-ignore lint/suspicious/noExplicitAny: what the API answers.
  async read(id: number): Promise<any> {
    const response = await fetch(this.requestUrl(id));
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return await response.json();
  }

  /** The request in its final state. */
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers.
  async untilFinal(id: number, deadlineMs = 60_000): Promise<any> {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const request = await this.read(id);
      if (request.state !== 'in_progress') return request;
      if (Date.now() > deadline) throw new Error(`request ${id} is still at: ${request.state_reason}`);
      await sleep(POLL_MS);
    }
  }
}

const POLL_MS = 100;
