// Who compares palms here, and whether it can now: one question for all parts of a page.
import { vaultForm, type VaultForm } from './api';
import { poll } from './poll';

/** A node that goes or comes shows within this. */
const EVERY_MS = 2_000;

class Vault {
  value = $state.raw<VaultForm | undefined>(undefined);
  #watchers = 0;
  #stop: (() => void) | null = null;

  /** Asks as long as somebody watches; returns the stop function, as `$effect` wants it. */
  watch(): () => void {
    this.#watchers += 1;
    if (this.#watchers === 1) this.#stop = poll(EVERY_MS, () => this.reload());
    return () => {
      this.#watchers -= 1;
      if (this.#watchers > 0) return;
      this.#stop?.();
      this.#stop = null;
    };
  }

  async reload(): Promise<void> {
    try {
      this.value = await vaultForm();
    } catch {
      // What was known last stays; the page says itself when the server is away.
    }
  }
}

export const vault = new Vault();

/** The letters of the nodes that are away. */
export function away(form: VaultForm | undefined): string[] {
  const nodes = form?.nodes ?? [];
  return nodes.filter((node) => !node.up).map((node) => node.node.toUpperCase());
}
