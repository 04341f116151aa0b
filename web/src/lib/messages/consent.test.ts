import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { de } from './de';
import { en } from './en';
import { es } from './es';

/** The server's texts, with the line breaks of the source taken out. */
const server = readFileSync(
  join(import.meta.dirname, '../../../../crates/boxoffice/src/consent_text.rs'),
  'utf8',
).replace(/\\\n\s+/g, '');

it.each([
  ['en', en],
  ['es', es],
  ['de', de],
] as const)('the payment consent in %s says word for word what the record will name', (_, m) => {
  const { palmPayTitle, palmPayConsent } = m.portal.wallet;
  for (const words of [palmPayTitle, ...palmPayConsent]) expect(server).toContain(`"${words}"`);
});
