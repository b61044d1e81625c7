import type { Span } from '../../domain/tracing/span.ts';

/** The steps of a build as parts of its span, by their lines: one after the other, each once. */
export class DockerfileSpans {
  readonly #build: Span;
  readonly #seen = new Set<number>();
  #step: Span | null = null;

  constructor(build: Span) {
    this.#build = build;
  }

  /** The build is at this line; told again and again. */
  at(line: number): void {
    if (this.#seen.has(line)) return;
    this.#seen.add(line);
    this.end();
    this.#step = this.#build.child(`line ${line}`, { 'stowage.dockerfile.line': line });
  }

  end(): void {
    this.#step?.end();
    this.#step = null;
  }
}
