import { Problem } from './api';
import type { Messages } from './messages/en';
import { fill, lookup } from './text';

/** One sentence for a person: by slug in their language, else the server's own words. */
export function problemSentence(m: Messages, cause: unknown): string {
  if (!(cause instanceof Problem)) return m.problems.unexpected;
  return bySlug(m, cause.slug, cause.detail);
}

export function bySlug(m: Messages, slug: string, detail: string): string {
  const known = lookup(m.problems, slug.replaceAll('-', '_'));
  if (known === undefined || slug === 'unexpected') {
    return detail === '' ? m.problems.unexpected : detail;
  }
  // Where only the server knows what happened, its words follow ours.
  if (known.includes('{detail}') && detail === '') return m.problems.unexpected;
  return fill(known, { detail });
}
