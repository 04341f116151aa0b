/**
 * Whether the three nodes computed what the public log says of a search: each signed its part of the
 * tag, the parts give the tag, and the leaf has that tag for that query. Signed is
 * `"handfast vault audit tag 1" deployment node query part`; written by crates/vault/src/audit.rs.
 */
import type { NodeKeys, SearchTags } from '../api';
import { ascii, concat, hex, unbase64url, unhex, type Bytes } from './bytes';
import { verifying } from './verifying';

const SAID = ascii('handfast vault audit tag 1');
const PART_BYTES = 16;
const SIGNATURE_BYTES = 64;
export const NODES = ['A', 'B', 'C'] as const;

/** A node's part as it was checked. */
export interface CheckedPart {
  node: (typeof NODES)[number];
  /** In hexadecimal. */
  part: string;
  signed: boolean;
}

/** One search's tag with its parts. */
export interface CheckedTag {
  query: string;
  tag: string;
  parts: CheckedPart[];
  /** Whether the parts give the tag. */
  adds: boolean;
  /** Whether the public log's leaf says the same. */
  logged: boolean;
}

export type NodesSaid =
  | { kind: 'signed'; tags: CheckedTag[] }
  /** Some of it does not hold; the parts say what. `all`: they are the leaf's tags, and all of them. */
  | { kind: 'wrong'; tags: CheckedTag[]; all: boolean }
  /** Nothing signed came with the search, though nodes match. */
  | { kind: 'missing' }
  /** Signed for another vault than the one that the company shows, or in no form that we know. */
  | { kind: 'foreign' }
  /** This browser cannot check these signatures. */
  | { kind: 'unable' };

/** `leaf` is what the public log holds at the search's place. */
export async function checkTags(
  tags: SearchTags,
  keys: NodeKeys,
  leaf: readonly Tag[],
): Promise<NodesSaid> {
  if (keys.nodes === null || keys.nodes.length !== NODES.length) return { kind: 'foreign' };
  if (keys.deployment !== tags.deployment || tags.searches.length === 0) return { kind: 'foreign' };
  let nodes: CryptoKey[];
  try {
    nodes = await Promise.all(keys.nodes.map(verifying));
  } catch {
    return { kind: 'unable' };
  }
  const deployment = unhex(tags.deployment);
  try {
    const checked = await Promise.all(tags.searches.map((one) => checkOne(one, deployment, nodes, leaf)));
    const each = checked.every((tag) => tag.adds && tag.logged && tag.parts.every((part) => part.signed));
    const all = checked.length === leaf.length && leaf.every((one) => checked.some((tag) => isSame(tag, one)));
    return each && all ? { kind: 'signed', tags: checked } : { kind: 'wrong', tags: checked, all };
  } catch {
    return { kind: 'foreign' };
  }
}

interface Tag {
  query: string;
  tag: string;
}

function isSame(one: Tag, other: Tag): boolean {
  return one.query === other.query && one.tag === other.tag;
}

async function checkOne(
  search: SearchTags['searches'][number],
  deployment: Bytes,
  nodes: CryptoKey[],
  leaf: readonly Tag[],
): Promise<CheckedTag> {
  const query = unhex(search.query);
  if (search.parts.length !== nodes.length) throw new Error('a part is missing');
  const sum = new Uint8Array(PART_BYTES);
  const parts = await Promise.all(
    nodes.map(async (key, number) => {
      const bytes = unbase64url(search.parts[number] ?? '');
      if (bytes.length !== PART_BYTES + SIGNATURE_BYTES) throw new Error('a part is cut');
      const part = bytes.slice(0, PART_BYTES);
      part.forEach((byte, at) => (sum[at] = (sum[at] ?? 0) ^ byte));
      const said = concat(SAID, deployment, Uint8Array.of(number), query, part);
      const signed = await crypto.subtle.verify('Ed25519', key, bytes.slice(PART_BYTES), said);
      return { node: NODES[number] ?? 'A', part: hex(part), signed };
    }),
  );
  return {
    query: search.query,
    tag: search.tag,
    parts,
    adds: hex(sum) === search.tag,
    logged: leaf.some((one) => isSame(one, search)),
  };
}
