import { mount, type Component } from 'svelte';
import '../styles/tokens.css';
import '../styles/base.css';
import { applyLanguage } from './i18n.svelte';

/** Mounts a page into its document. Every HTML entry does this and nothing else. */
export function start(page: Component): void {
  const target = document.getElementById('page');
  if (target === null) throw new Error('the document has no element with id "page"');
  applyLanguage();
  mount(page, { target });
}
