import { de } from './messages/de';
import { en, type Messages } from './messages/en';
import { es } from './messages/es';

export const languages = ['en', 'es', 'de'] as const;
export type Language = (typeof languages)[number];

const catalogues: Record<Language, Messages> = { en, es, de };
const STORED_AS = 'handfast.language';

function isLanguage(text: string | null | undefined): text is Language {
  return languages.some((language) => language === text);
}

/** The language of the browser, or of an earlier choice on this machine. */
export function preferredLanguage(): Language {
  const stored = localStorage.getItem(STORED_AS);
  if (isLanguage(stored)) return stored;
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage);
  return wanted ?? 'en';
}

let language = $state<Language>(preferredLanguage());

/** Tells the document its language, for screen readers and hyphenation. */
export function applyLanguage(): void {
  document.documentElement.lang = language;
}

export const i18n = {
  get language(): Language {
    return language;
  },
  get m(): Messages {
    return catalogues[language];
  },
  /** `remember` is false on a kiosk, where the choice belongs to one person's visit. */
  choose(next: Language, remember = true): void {
    language = next;
    if (remember) localStorage.setItem(STORED_AS, next);
    applyLanguage();
  },
};
