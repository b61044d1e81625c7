/** What somebody may see of the subjects of a feed; answers are kept for a moment, since one gives many events. */
export class VisibleSubjects {
  readonly #isVisible: (id: number) => Promise<boolean>;
  readonly #known = new Map<number, { visible: boolean; until: number }>();

  constructor(isVisible: (id: number) => Promise<boolean>) {
    this.#isVisible = isVisible;
  }

  async includes(id: number): Promise<boolean> {
    const known = this.#known.get(id);
    if (known && known.until > Date.now()) return known.visible;
    const visible = await this.#isVisible(id);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(id, { visible, until: Date.now() + KNOWN_FOR_MS });
    return visible;
  }
}

const MOST_KNOWN = 10_000;
const KNOWN_FOR_MS = 5_000;
