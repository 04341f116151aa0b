import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Connect, Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where the server listens while pages are developed. */
const SERVER = process.env.HANDFAST_SERVER ?? 'http://127.0.0.1:8080';

const entries = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.html'));

/** Maps an address to its page exactly as the binary does, so that dev and production agree. */
function pageFor(path: string): string | null {
  const first = path.split('/')[1] ?? '';
  if (first === '') return '/index.html';
  return entries.includes(`${first}.html`) ? `/${first}.html` : null;
}

function servePages(): Plugin {
  const rewrite: Connect.NextHandleFunction = (request, _response, next) => {
    const [path = '/', query] = (request.url ?? '/').split('?');
    const page = pageFor(path);
    if (page !== null) request.url = query === undefined ? page : `${page}?${query}`;
    next();
  };
  return {
    name: 'handfast-pages',
    configureServer: (server) => void server.middlewares.use(rewrite),
    configurePreviewServer: (server) => void server.middlewares.use(rewrite),
  };
}

/** What every page has around its title and its script, written once. */
function shell(): Plugin {
  const around = readFileSync(join(import.meta.dirname, 'src/page.html'), 'utf8');
  return {
    name: 'handfast-shell',
    transformIndexHtml: {
      order: 'pre',
      handler: (page) => around.replace('<!-- page -->', page.trim().replace('\n', '\n    ')),
    },
  };
}

export default defineConfig({
  appType: 'mpa',
  plugins: [svelte(), servePages(), shell()],
  build: {
    target: 'es2022',
    // light-dark() and nesting as written: every browser since spring 2024 knows them.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // The content security policy allows neither inline scripts nor data: scripts.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: { input: entries },
  },
  server: { proxy: { '/api': { target: SERVER, ws: true }, '/log': SERVER } },
  preview: { proxy: { '/api': { target: SERVER, ws: true }, '/log': SERVER } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
