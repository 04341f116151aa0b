import { start } from '../../lib/start';
import Page from './Page.svelte';

// Read from a metre and touched at arm's length: everything is larger.
document.documentElement.classList.add('kiosk');
start(Page);
