// Every page, in the states that people meet, for those who hear it, tab through it, or see little:
// axe finds no violation, nothing is wider than the screen, every target is large enough for a thumb,
// and the keyboard reaches everything and shows where it is.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { openBrowser, startDemo, walk } from "./harness.mjs";
import { prepare, states, tour } from "./tour.mjs";

const step = walk();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** A thumb's width (WCAG 2.5.5), and a pedestal's, read and touched at arm's length. */
const TARGET_PX_MIN = 44;
const KIOSK_TARGET_PX_MIN = 64;
/** More stops of the keyboard than any page has: a trap ends here. */
const STOPS_MAX = 400;
/** The stops within a field for a date and a time, its calendar included. */
const DATE_PARTS = 7;
const PHONE = { width: 390, height: 844 };
const NARROWEST = { width: 320, height: 568 };

let demo;
let browser;
let of;

before(async () => {
  demo = await startDemo();
  browser = await openBrowser();
  of = await prepare(demo.url);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** Runs axe in the page; gives its findings as lines. */
async function findings(page, options = { resultTypes: ["violations"] }) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), options);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\s+/g, " ")}`));
}

/** Colours once more by night; the rest does not change with them. */
async function byNight(page) {
  await page.emulateMedia({ colorScheme: "dark" });
  // Colours pass over into each other, however shortly.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((one) => one.finished)));
  const found = await findings(page, { runOnly: ["color-contrast"], resultTypes: ["violations"] });
  await page.emulateMedia({ colorScheme: "light" });
  return found.map((line) => `by night: ${line}`);
}

/** What is wider than the screen, or too small to touch. A link within a sentence may be as small as its words. */
function sizes(page, least) {
  return page.evaluate((least) => {
    const lines = [];
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 1) lines.push(`the page is ${wide} px wider than the screen`);
    const name = (element) => `${element.tagName.toLowerCase()} "${(element.innerText || element.ariaLabel || element.name || "").slice(0, 40)}"`;
    const inSentence = (element) => element.tagName === "A" && getComputedStyle(element).display === "inline";
    for (const element of document.querySelectorAll("a[href], button, input, select, textarea, summary")) {
      const target = element.closest("label") ?? element;
      const box = target.getBoundingClientRect();
      if (!element.checkVisibility({ visibilityProperty: true }) || box.width < 2 || box.right < 0 || inSentence(element)) continue;
      if (document.querySelector("dialog[open]") && !element.closest("dialog[open]")) continue;
      if (Math.min(box.width, box.height) < least - 0.5) {
        lines.push(`${name(element)} is ${Math.round(box.width)} x ${Math.round(box.height)} px, less than ${least}`);
      }
    }
    return lines;
  }, least);
}

/** Runs in the page: everything that the keyboard should stop at, numbered. */
function numberStops() {
  const within = document.querySelector("dialog[open]") ?? document;
  const radios = new Set();
  let count = 0;
  for (const element of within.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")) {
    if (element.disabled || element.tabIndex < 0 || element.closest("[inert]") || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest("details:not([open])") && element.tagName !== "SUMMARY") continue;
    // One stop for a group of radio buttons: the arrows go on from there.
    if (element.type === "radio") {
      if (radios.has(element.name)) continue;
      radios.add(element.name);
      if (!element.checked && document.querySelector(`[name="${element.name}"]:checked`)) {
        document.querySelector(`[name="${element.name}"]:checked`).dataset.stop = String(count);
        count += 1;
        continue;
      }
    }
    element.dataset.stop = String(count);
    count += 1;
  }
  return count;
}

/** Runs in the page: writes down every stop that gets the focus, and whether one sees it there. */
function recordStops() {
  window.handfastStops = [];
  document.addEventListener("focusin", ({ target }) => {
    const marked = (look) => (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2) || look.boxShadow !== "none";
    const label = target.closest("label");
    const dialog = document.querySelector("dialog[open]");
    window.handfastStops.push({
      stop: target.dataset.stop ?? null,
      name: `${target.tagName.toLowerCase()} "${(target.innerText || target.ariaLabel || target.name || "").slice(0, 40)}"`,
      visible: marked(getComputedStyle(target)) || (label !== null && marked(getComputedStyle(label))),
      outside: dialog !== null && !dialog.contains(target),
    });
  });
  if (document.querySelector("dialog[open]") === null) document.activeElement?.blur?.();
}

/** Walks the page with the Tab key, once round. */
async function keyboard(page) {
  const count = await page.evaluate(numberStops);
  await page.evaluate(recordStops);
  // A date is typed part by part, and each part is a stop.
  const parts = DATE_PARTS * (await page.locator("input[type=datetime-local]").count());
  for (let press = 0; press < Math.min(STOPS_MAX, count + parts + 3); press += 1) await page.keyboard.press("Tab");
  const stops = await page.evaluate(() => window.handfastStops);
  const reached = stops.map(({ stop }) => stop);
  const missed = await page.evaluate((reached) => [...document.querySelectorAll("[data-stop]")]
    .filter((element) => !reached.includes(element.dataset.stop) && element.checkVisibility())
    .map((element) => `${element.tagName.toLowerCase()} "${element.innerText || element.name}"`), reached);
  return [
    ...stops.filter(({ outside }) => outside).map(({ name }) => `the focus left the dialog for ${name}`),
    ...stops.filter(({ visible }) => !visible).map(({ name }) => `one does not see that ${name} has the focus`),
    ...missed.map((name) => `the keyboard does not reach ${name}`),
  ];
}

/** A dialog ends with Escape and gives the focus back to what opened it. */
async function dialogEnds(page) {
  if ((await page.locator("dialog[open]").count()) === 0) return [];
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  // The focus comes back once the page has taken the dialog away: on a busy machine not at once.
  const held = () => document.activeElement !== null && document.activeElement !== document.body;
  const returned = await page.waitForFunction(held, undefined, { timeout: 3_000 }).then(() => true, () => false);
  return returned ? [] : ["the dialog did not give the focus back"];
}

/** Faults by what is wrong, each with the states that show it: one line of a style can be wrong on every page. */
function gathered(faults) {
  const by = new Map();
  for (const { name, line } of faults) by.set(line, [...(by.get(line) ?? []), name]);
  return [...by].map(([line, names]) => `${line.slice(0, 300)} (${[...new Set(names)].join(", ")})`);
}

/** Everything that is looked for at the size that the page was opened at. */
async function whole(page, least) {
  return [...(await findings(page)), ...(await byNight(page)), ...(await sizes(page, least)), ...(await keyboard(page))];
}

/** Charts follow the width a moment later. */
async function resize(page, size) {
  await page.setViewportSize(size);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** The same page on a phone, and as narrow as one that is zoomed in (WCAG 1.4.10). */
async function narrowed(page) {
  const before = page.viewportSize();
  await resize(page, PHONE);
  const found = await sizes(page, TARGET_PX_MIN);
  await resize(page, NARROWEST);
  found.push(...(await sizes(page, 0)).map((line) => `zoomed in: ${line}`));
  await resize(page, before);
  return found;
}

// German has the longest words, Spanish comes next; the other tests read English.
const seats = [
  { words: "at a desk and on a phone", size: "desk", language: "de-DE", look: async (page) => [...(await whole(page, TARGET_PX_MIN)), ...(await narrowed(page))] },
  { words: "at a kiosk", size: "kiosk", language: "es-ES", look: (page) => whole(page, KIOSK_TARGET_PX_MIN) },
];
for (const { words, size, language, look } of seats) {
  step(`every page ${words} is readable, reachable and large enough`, async () => {
    const faults = [];
    const mine = states.filter((state) => (size === "kiosk") === (state.kiosk === true));
    await tour(browser, of, { size, language, states: mine }, async (page, { name }) => {
      const found = [...(await look(page)), ...(await dialogEnds(page))];
      faults.push(...found.map((line) => ({ name, line })));
    });
    console.log(`  ${mine.length} states looked at`);
    assert.ok(mine.length > 10);
    assert.equal(gathered(faults).join("\n"), "");
  });
}
