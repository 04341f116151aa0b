import { describe, expect, it } from 'vitest';
import { isHome, languageEnds } from './visit';

describe('the station’s own language', () => {
  it('comes back when a visit ends, at lanes and at counters', () => {
    expect(languageEnds('admitted', 'welcome', null)).toBe(true);
    expect(languageEnds('paid', 'waiting_for_charge', 'paid')).toBe(true);
    expect(languageEnds('working', 'welcome', null)).toBe(true);
  });

  it('leaves the choice of somebody who came while the pedestal still worked', () => {
    expect(languageEnds('working', 'welcome', 'working')).toBe(false);
  });

  it('stays away during a visit, and before one', () => {
    expect(languageEnds('working', 'admitted', 'working')).toBe(false);
    expect(languageEnds('welcome', 'palm', null)).toBe(false);
    expect(languageEnds('welcome', 'welcome', 'welcome')).toBe(false);
    expect(languageEnds(undefined, 'welcome', null)).toBe(false);
  });

  it('knows where nobody has begun', () => {
    expect([isHome('welcome'), isHome('waiting_for_charge'), isHome('palm'), isHome(undefined)])
      .toEqual([true, true, false, false]);
  });
});
