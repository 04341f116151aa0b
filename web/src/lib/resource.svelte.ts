/** Something loaded from the server: the last good value stays visible while a newer one fails. */
export class Resource<T> {
  value = $state.raw<T | undefined>(undefined);
  failure = $state.raw<unknown>(null);
  readonly #load: () => Promise<T>;
  /** Which question was asked last: an answer to an earlier one may come later, and is not it. */
  #asked = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
    void this.reload();
  }

  async reload(): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const value = await this.#load();
      if (asked !== this.#asked) return;
      this.value = value;
      this.failure = null;
    } catch (cause) {
      if (asked === this.#asked) this.failure = cause;
    }
  }
}

/** What came stays as it is; what did not is asked for again. */
export async function reloadMissing(all: readonly Resource<unknown>[]): Promise<void> {
  await Promise.all(all.filter((one) => one.value === undefined).map((one) => one.reload()));
}
