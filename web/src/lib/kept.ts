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
/** Whoever stands at a gate with one bar of signal sees what is kept after this long. */
export const PATIENCE_MS = 4_000;

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
  await change((store, before) => {
    const shown = new Map(before.map((one) => [one.ticket_id, one.shown]));
    store.clear();
    for (const ticket of tickets.filter((one) => isGood(one, now))) {
      const code = shown.get(ticket.ticket_id);
      store.put({ ticket_id: ticket.ticket_id, ticket, heard: now, ...(code && { shown: code }) });
    }
  });
}

/** Keeps what a ticket's code turns with, where the ticket itself is kept. */
export async function keepShown(ticket: string, shown: Shown): Promise<void> {
  await change((store, before) => {
    const kept = before.find((one) => one.ticket_id === ticket);
    if (kept !== undefined) store.put({ ...kept, shown });
  });
}

export async function shownOf(ticket: string): Promise<Shown | null> {
  return (await change(() => undefined)).find((one) => one.ticket_id === ticket)?.shown ?? null;
}

/** The tickets that are kept, tonight's first; those of events that are over go. */
export async function keptTickets(now: number): Promise<KeptTicket[]> {
  const kept = await change((store, before) => {
    const over = before.filter((one) => !isGood(one.ticket, now));
    over.forEach((one) => store.delete(one.ticket_id));
  });
  return kept
    .filter((one) => isGood(one.ticket, now))
    .sort((a, b) => Date.parse(a.ticket.event.starts_at) - Date.parse(b.ticket.event.starts_at));
}

/** Nothing of anybody stays on the device. */
export async function forgetTickets(): Promise<void> {
  await change((store) => store.clear());
}

/** Has the page itself kept, where the browser can; it works without as long as there is a network. */
export async function keepPage(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  await navigator.serviceWorker.register(WORKER, { scope: PAGE });
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage('keep');
}

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'ticket_id' });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

/** Reads what is kept and changes it in one transaction, so that no other tab comes between; answers what was there. */
async function change(work: (store: IDBObjectStore, before: KeptTicket[]) => void): Promise<KeptTicket[]> {
  const database = await opened();
  return new Promise<KeptTicket[]>((done, failed) => {
    const transaction = database.transaction(STORE, 'readwrite');
    const store = transaction.objectStore(STORE);
    const request = store.getAll();
    request.onsuccess = () => work(store, request.result as KeptTicket[]);
    transaction.oncomplete = () => done(request.result as KeptTicket[]);
    transaction.onabort = () => failed(transaction.error);
  }).finally(() => database.close());
}
