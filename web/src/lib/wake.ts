/** Keeps the screen of a station on, where the browser can; asks again when the page comes back. */
export function stayAwake(): () => void {
  const ask = (): void => {
    if (document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
    // Refused on low battery: the station still works, the screen just dims.
    navigator.wakeLock.request('screen').catch(() => undefined);
  };
  ask();
  document.addEventListener('visibilitychange', ask);
  return () => document.removeEventListener('visibilitychange', ask);
}
