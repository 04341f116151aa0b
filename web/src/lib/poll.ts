/**
 * Calls `work` now and again `everyMs` after each answer, never two at a time; slower while the page
 * is hidden. Returns the stop function, as `$effect` wants it.
 */
export function poll(everyMs: number, work: () => Promise<void>): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const turn = async (): Promise<void> => {
    await work();
    if (!stopped) timer = setTimeout(() => void turn(), document.hidden ? everyMs * 5 : everyMs);
  };
  void turn();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
