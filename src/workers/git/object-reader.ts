import type { Git, GitProcess } from './git-command.ts';

/** An object of the repository is missing or broken: what git has of it cannot be used. */
export class DamagedRepositoryError extends Error {
  override name = 'DamagedRepositoryError';
}

/** Reads objects one after another through one `git cat-file --batch`. */
export class ObjectReader {
  readonly #process: GitProcess;
  readonly #output: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  /** Objects must be read in the order of the ids. */
  constructor(git: Git, gitDirectory: string, ids: readonly string[]) {
    this.#process = git.stream(['cat-file', '--batch', '--buffer'], { gitDirectory });
    this.#output = this.#process.stdout[Symbol.asyncIterator]();
    this.#process.stdin.end(ids.map((id) => `${id}\n`).join(''));
  }

  /** Content of the next object. It must be read to its end before the next one. */
  async next(id: string, type: string, size: number): Promise<AsyncIterable<Uint8Array>> {
    const header = await this.#line();
    if (header !== `${id} ${type} ${size}`) {
      throw new DamagedRepositoryError(`The git object ${id} cannot be read: ${header || 'no answer'}`);
    }
    return this.#content(size, id);
  }

  close(): void {
    this.#process.stop();
  }

  async *#content(size: number, id: string): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) {
        throw new DamagedRepositoryError(`The git object ${id} ends early`);
      }
      const chunk = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(chunk.length);
      left -= chunk.length;
      yield chunk;
    }
    if (this.#rest.length === 0) await this.#more();
    this.#rest = this.#rest.subarray(1);
  }

  async #line(): Promise<string> {
    let end = this.#rest.indexOf(0x0a);
    while (end === -1) {
      if (this.#rest.length > 1000 || !(await this.#more())) return this.#rest.toString();
      end = this.#rest.indexOf(0x0a);
    }
    const line = this.#rest.subarray(0, end).toString();
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#output.next();
    if (done) {
      await this.#process.done.catch((error: Error) => {
        throw new DamagedRepositoryError(error.message, { cause: error });
      });
      return false;
    }
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    return true;
  }
}
