/** Something loaded from the server: the last good value stays visible while a newer one fails. */
export class Resource<T> {
  value = $state.raw<T | undefined>(undefined);
  failure = $state.raw<unknown>(null);
  readonly #load: () => Promise<T>;

  constructor(load: () => Promise<T>) {
    this.#load = load;
    void this.reload();
  }

  async reload(): Promise<void> {
    try {
      this.value = await this.#load();
      this.failure = null;
    } catch (cause) {
      this.failure = cause;
    }
  }
}
