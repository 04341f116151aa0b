/**
 * Which searches of the public log found my palms: the browser reads the log itself, asks the
 * vault's nodes what each search's tag would be had it been mine (sealed to a key of this page), and
 * compares. The service in between passes the answers on and cannot read them.
 */
import { me, type AuditedPalm, type NodeKeys } from '../api';
import { ascii, concat, hex, unhex, type Bytes } from './bytes';
import { drawRecipient, open, type Recipient } from './hpke';
import { entriesOf, searchOf, timeOf, type Search } from './leaf';
import { BUNDLE, bundle, sizeOfLog } from './tiles';
import { verifying } from './verifying';

/** Searches asked about at once; the service takes no more. */
const AT_ONCE = 1_024;
/** Bundles read at most, from the newest on: about 50,000 leaves, some megabytes. */
const BUNDLES_MAX = 200;
const INFO = ascii('handfast vault audit 1');
const TAG = 16;

/** A palm link whose uses are looked for. */
export interface Watched {
  link_id: string;
  created_at: string;
}

export interface FoundUse extends Search {
  link_id: string;
  side: string;
}

export interface Findings {
  /** Leaves that the log had when it was read. */
  size: number;
  /** Searches that were compared. */
  compared: number;
  /** Whether the log was read back to when the oldest palm was linked. */
  complete: boolean;
  /** How many nodes signed the answers; none where one machine matches in clear. */
  signedBy: number;
  found: FoundUse[];
  /** The searches that were read, by their place in the log. */
  read: Map<number, Search>;
  /** What the nodes sign with. */
  keys: NodeKeys;
}

/** Reads the log and finds the uses of these palms; `progress` gets a share from 0 to 1. */
export async function findUses(
  links: Watched[],
  progress: (share: number) => void,
): Promise<Findings> {
  const keys = await me.nodeKeys();
  const since = Math.min(...links.map((link) => Date.parse(link.created_at)));
  const { size, searches, complete } = await read(since, (share) => progress(share / 2));
  const findings: Findings = {
    size,
    compared: searches.length,
    complete,
    signedBy: 0,
    found: [],
    read: new Map(searches.map((search) => [search.position, search])),
    keys,
  };
  let done = 0;
  const all = links.length * searches.length;
  for (const link of links) {
    for (let at = 0; at < searches.length; at += AT_ONCE) {
      const some = searches.slice(at, at + AT_ONCE);
      const answer = await ask(link.link_id, some, keys.nodes);
      findings.signedBy = keys.nodes?.length ?? 0;
      for (const { side, values } of answer) {
        findings.found.push(...matches(some, values, link.link_id, side));
      }
      done += some.length;
      progress(0.5 + done / all / 2);
    }
  }
  progress(1);
  findings.found.sort((a, b) => b.position - a.position);
  return findings;
}

/** The searches since a moment (a leaf's time is cut to seconds), the oldest last. */
async function read(
  since: number,
  progress: (share: number) => void,
): Promise<{ size: number; searches: Search[]; complete: boolean }> {
  const size = await sizeOfLog();
  const from = Math.floor(since / 1000) * 1000;
  const searches: Search[] = [];
  const last = Math.ceil(size / BUNDLE) - 1;
  const end = Math.max(0, last - BUNDLES_MAX + 1);
  for (let number = last; number >= end; number -= 1) {
    const leaves = entriesOf(await bundle(number, size));
    leaves.forEach((leaf, at) => {
      const search = searchOf(leaf, number * BUNDLE + at);
      if (search !== null && search.at.getTime() >= from) searches.push(search);
    });
    progress((last - number + 1) / (last - end + 1));
    const oldest = leaves[0];
    if (oldest !== undefined && timeOf(oldest).getTime() < from) {
      return { size, searches, complete: true };
    }
  }
  return { size, searches, complete: end === 0 };
}

interface Values {
  side: string;
  /** What each query's tag would be, had it been this palm. */
  values: Map<string, string>;
}

async function ask(link: string, searches: Search[], nodes: string[] | null): Promise<Values[]> {
  const queries = searches.flatMap((search) => search.tags.map((tag) => tag.query));
  const values: Values[] = [];
  for (let at = 0; at < queries.length; at += AT_ONCE) {
    const some = queries.slice(at, at + AT_ONCE);
    const recipient = await drawRecipient();
    const answer = await me.audit(link, hex(recipient.publicKey), some);
    for (const palm of answer.palms) {
      const opened = await openParts(palm, recipient, some, nodes);
      let known = values.find((one) => one.side === palm.side);
      if (known === undefined) values.push((known = { side: palm.side, values: new Map() }));
      some.forEach((query, number) => {
        known.values.set(query, hex(opened.subarray(number * TAG, (number + 1) * TAG)));
      });
    }
  }
  return values;
}

/** Checks who signed, opens each part, and takes their xor. */
export async function openParts(
  palm: AuditedPalm,
  recipient: Recipient,
  queries: string[],
  nodes: string[] | null,
): Promise<Bytes> {
  const asked = concat(recipient.publicKey, ...queries.map(unhex));
  const context = new Uint8Array(await crypto.subtle.digest('SHA-256', asked));
  if (palm.parts.length !== (nodes?.length ?? 1)) throw new Error('a node did not answer');
  const whole = new Uint8Array(queries.length * TAG);
  for (const part of palm.parts) {
    const sealed = unhex(part.sealed);
    if (nodes !== null) {
      const key = nodes['ABC'.indexOf(part.node ?? '?')];
      await checkSignature(key, part.signature, concat(INFO, context, sealed));
    }
    const opened = await open(recipient, sealed, INFO, context);
    if (opened.length !== whole.length) throw new Error('a node answered another question');
    opened.forEach((byte, at) => (whole[at] = (whole[at] ?? 0) ^ byte));
  }
  return whole;
}

async function checkSignature(
  key: string | undefined,
  signature: string | null,
  message: Bytes,
): Promise<void> {
  if (key === undefined || signature === null) throw new Error('a node did not sign');
  const valid = await crypto.subtle.verify('Ed25519', await verifying(key), unhex(signature), message);
  if (!valid) throw new Error('what came is not from the node it names');
}

/** The searches whose tag is that of this palm. */
export function matches(
  searches: Search[],
  values: Map<string, string>,
  link_id: string,
  side: string,
): FoundUse[] {
  const is = ({ query, tag }: { query: string; tag: string }) => values.get(query) === tag;
  return searches
    .filter((search) => search.tags.some(is))
    .map((search) => ({ ...search, link_id, side }));
}
