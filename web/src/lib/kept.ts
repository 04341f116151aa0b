/**
 * What the portal keeps on this device for a gate without a network: tickets until their event is
 * over, and what a rotating code turns with. The key lies there as one that no script can read back;
 * whoever copies the whole browser's folder has it all the same, as somebody would who takes the phone.
 */
import type { Ticket } from './api';
import type { Shown } from './rotating';

const DATABASE = 'handfast-portal';
const STORE = 'tickets';
const VERSION = 1;
const WORKER = '/portal-worker.js';
const PAGE = '/portal';

export interface KeptTicket {
  ticket_id: string;
  ticket: Ticket;
  /** When the tickets were last heard of, in milliseconds of this clock. */
  heard: number;
  shown?: Shown;
}

/** Whether a ticket is still worth showing at a gate. */
export function isGood(ticket: Ticket, now: number): boolean {
  return ticket.state === 'valid' && Date.parse(ticket.event.ends_at) > now;
}

/** Keeps these tickets and no others; what their codes turn with stays. */
export async function keepTickets(tickets: readonly Ticket[], now: number): Promise<void> {
  const before = await all();
  const shown = new Map(before.map((one) => [one.ticket_id, one.shown]));
  await write((store) => {
    store.clear();
    for (const ticket of tickets.filter((one) => isGood(one, now))) {
      const code = shown.get(ticket.ticket_id);
      store.put({ ticket_id: ticket.ticket_id, ticket, heard: now, ...(code && { shown: code }) });
    }
  });
}

/** Keeps what a ticket's code turns with, where the ticket itself is kept. */
export async function keepShown(ticket: string, shown: Shown): Promise<void> {
  const kept = (await all()).find((one) => one.ticket_id === ticket);
  if (kept !== undefined) await write((store) => store.put({ ...kept, shown }));
}

export async function shownOf(ticket: string): Promise<Shown | null> {
  return (await all()).find((one) => one.ticket_id === ticket)?.shown ?? null;
}

/** The tickets that are kept, tonight's first; those of events that are over go. */
export async function keptTickets(now: number): Promise<KeptTicket[]> {
  const kept = await all();
  const over = kept.filter((one) => !isGood(one.ticket, now));
  if (over.length > 0) await write((store) => over.forEach((one) => store.delete(one.ticket_id)));
  return kept
    .filter((one) => isGood(one.ticket, now))
    .sort((a, b) => Date.parse(a.ticket.event.starts_at) - Date.parse(b.ticket.event.starts_at));
}

/** Nothing of anybody stays on the device. */
export async function forgetTickets(): Promise<void> {
  await write((store) => store.clear());
}

/** Has the page itself kept, where the browser can; it works without as long as there is a network. */
export async function keepPage(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  await navigator.serviceWorker.register(WORKER, { scope: PAGE });
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage({ keep: partsOf(document) });
}

/** The scripts and styles that a page names: all of them, for none is loaded later. */
function partsOf(page: Document): string[] {
  const scripts = [...page.querySelectorAll<HTMLScriptElement>('script[src]')].map((one) => one.src);
  const links = [...page.querySelectorAll<HTMLLinkElement>('link[href]')].map((one) => one.href);
  const paths = [...scripts, ...links].map((address) => new URL(address).pathname);
  return [...new Set(paths)].filter((path) => path.startsWith('/assets/'));
}

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'ticket_id' });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

async function all(): Promise<KeptTicket[]> {
  const database = await opened();
  return new Promise((done, failed) => {
    const request = database.transaction(STORE).objectStore(STORE).getAll();
    request.onsuccess = () => done(request.result as KeptTicket[]);
    request.onerror = () => failed(request.error);
  }).finally(() => database.close()) as Promise<KeptTicket[]>;
}

async function write(work: (store: IDBObjectStore) => void): Promise<void> {
  const database = await opened();
  await new Promise<void>((done, failed) => {
    const transaction = database.transaction(STORE, 'readwrite');
    transaction.oncomplete = () => done();
    transaction.onabort = () => failed(transaction.error);
    work(transaction.objectStore(STORE));
  }).finally(() => database.close());
}
