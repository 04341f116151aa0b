// Hash routing: `#/links/KEY` is the path ['links', 'KEY'].

export function parseHash(hash: string): string[] {
  return hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((segment) => segment !== '')
    .map(decode);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

let path = $state<string[]>(parseHash(location.hash));
window.addEventListener('hashchange', () => {
  path = parseHash(location.hash);
});

export const route = {
  get path(): readonly string[] {
    return path;
  },
  get first(): string {
    return path[0] ?? '';
  },
  go(to: string): void {
    location.hash = to;
  },
  /** Leaves no trace in the history: for addresses that carry a key. */
  replace(to: string): void {
    history.replaceState(null, '', `#${to}`);
    path = parseHash(to);
  },
};
