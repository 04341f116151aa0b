// Starts a real server on a free port with a fresh data folder, and real browsers against it.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const handfast = process.env.HANDFAST_BIN ?? join(repository, "target/debug/handfast");
const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const screenshots = join(repository, "test-results/screenshots");

// A browser that phones home is slow on a machine without a network; none of these pages needs it.
const quietBrowser = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** More arguments for every demo of a run, for example `--vault split`. */
const demoArguments = (process.env.HANDFAST_DEMO_ARGS ?? "").split(" ").filter(Boolean);

/** Starts `handfast demo` on a free port, in a fresh folder or again in one that is there; resolves when it answers. */
export async function startDemo({ args = [], folder = mkdtempSync(join(tmpdir(), "handfast-walk-")) } = {}) {
  const data = join(folder, "data");
  const server = spawn(handfast, ["demo", "--data", data, "--listen", "127.0.0.1:0", "--json", ...demoArguments, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = [];
  server.stderr.on("data", (chunk) => log.push(chunk));
  const lines = createInterface({ input: server.stdout });
  const url = await new Promise((ready, failed) => {
    lines.once("line", (line) => ready(JSON.parse(line).url));
    server.once("exit", (code) => failed(new Error(`the server ended with ${code}:\n${Buffer.concat(log)}`)));
  });
  return {
    url, data, folder, log: () => Buffer.concat(log).toString(),
    /** Ends it as a power cut would: nothing is told, nothing is tidied, the folder stays. */
    async crash() {
      const ended = new Promise((done) => server.once("exit", done));
      server.kill("SIGKILL");
      await ended;
    },
    async stop() {
      if (server.exitCode === null) {
        const ended = new Promise((done) => server.once("exit", done));
        server.kill("SIGTERM");
        await ended;
      }
      findNoCardNumber(data, Buffer.concat(log));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whatever an evening did: no database, no file and no line of the log may hold a card's number. */
function findNoCardNumber(data, log) {
  if (!existsSync(data)) return;
  writeFileSync(join(data, "server.log"), log);
  const { code, out, err } = run(["scan-cards", data]);
  if (code !== 0) throw new Error(`card numbers were left behind:\n${out}${err}`);
}

/** Runs one command of the binary to its end. */
export function run(args, options = {}) {
  const result = spawnSync(handfast, args, { encoding: "utf8", maxBuffer: 1 << 26, ...options });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

/** A browser; with `video` its camera plays that y4m file in a loop. */
export function openBrowser({ video } = {}) {
  const camera = video
    ? ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${video}`]
    : [];
  return chromium.launch({ executablePath: chromiumPath, args: [...quietBrowser, ...camera] });
}

/**
 * A window of its own (cookies, storage) at a size people use; pages opened from it are watched too.
 * `keeps`: the portal's page may keep itself on the device; then routes of the test see less of it.
 */
export async function openPage(browser, { size = "desk", language = "en-US", permissions = [], keeps = false } = {}) {
  const viewport = {
    desk: { width: 1440, height: 900 }, kiosk: { width: 1080, height: 1920 }, phone: { width: 390, height: 844 },
  }[size];
  const context = await browser.newContext({
    viewport, locale: language, permissions, reducedMotion: "reduce", serviceWorkers: keeps ? "allow" : "block",
  });
  context.setDefaultTimeout(patience);
  await context.addInitScript(recordScreens);
  context.on("page", watch);
  return context.newPage();
}

/** How long anything may take that the page is waited for. Generous: two cores, all of them busy. */
export const patience = 30_000;

const watched = new Set();

/** Collects what a page logs as an error, and what its pedestal's connection carries. */
function watch(page) {
  watched.add(page);
  page.on("close", () => watched.delete(page));
  page.failures = [];
  page.framesSent = 0;
  page.on("pageerror", (error) => page.failures.push(String(error)));
  page.on("console", (message) => {
    // A refused content-security policy or a thrown error shows up here, and nowhere else.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.failures.push(message.text());
  });
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => {
      if (typeof payload !== "string") page.framesSent += 1;
    });
  });
}

/**
 * Runs in the page: keeps every pedestal screen with the words it showed. Some screens stay for two
 * seconds only, and a busy machine may look up just after them.
 */
function recordScreens() {
  const shown = [];
  window.handfastShown = shown;
  const look = () => {
    const screen = document.body?.dataset.screen;
    if (screen === undefined) return;
    const words = document.querySelector("main")?.innerText ?? "";
    const reason = document.querySelector("[data-reason]")?.dataset.reason ?? null;
    const last = shown.at(-1);
    if (last?.screen !== screen) shown.push({ screen, reason, words: [words], at: performance.now() });
    else {
      last.reason ??= screen === "turned_away" ? reason : null;
      if (last.words.at(-1) !== words) last.words.push(words);
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const all = { subtree: true, childList: true, characterData: true, attributes: true };
    new MutationObserver(look).observe(document.body, { ...all, attributeFilter: ["data-screen", "data-reason"] });
    look();
  });
}

/** Asks again and again until `check` answers something true; fails with what was there last. */
export async function until(what, check, { within = patience, page } = {}) {
  const deadline = performance.now() + within;
  for (;;) {
    const answer = await check();
    if (answer) return answer;
    if (performance.now() > deadline) {
      throw new Error(`waited ${within / 1000} s for: ${what}${page ? `\n${await describe(page)}` : ""}`);
    }
    await new Promise((again) => setTimeout(again, 50));
  }
}

async function describe(page) {
  const text = await page.evaluate(() => document.body.innerText).catch((error) => String(error));
  const shown = await page.evaluate(() => window.handfastShown?.map(({ screen, reason }) => reason ?? screen)).catch(() => []);
  return [`${page.url()} shows:`, text, shown?.length ? `screens: ${shown.join(" > ")}` : ""].join("\n");
}

/** What a pedestal page showed, read in order: each screen is waited for once. */
export class Screens {
  constructor(page) {
    this.page = page;
    this.seen = 0;
  }

  /** From here on only what comes next counts; the screen that is there now counts as well. */
  async fromNow() {
    this.seen = Math.max(0, (await this.all()).length - 1);
    return this;
  }

  all() {
    return this.page.evaluate(() => window.handfastShown ?? []);
  }

  /** The next screen of that name (with that reason); fails at once when another outcome comes first. */
  async next(screen, { reason, within } = {}) {
    const outcomes = ["linked", "admitted", "paid", "turned_away"];
    return until(`the pedestal's screen ${screen}${reason ? ` (${reason})` : ""}`, async () => {
      const shown = await this.all();
      for (let index = this.seen; index < shown.length; index += 1) {
        const is = shown[index];
        if (is.screen === screen && (reason === undefined || is.reason === reason)) {
          this.seen = index + 1;
          return { ...is, text: is.words.join("\n") };
        }
        const unsure = is.screen === "turned_away" && is.reason === null && index === shown.length - 1;
        if (outcomes.includes(is.screen) && !unsure) {
          throw new Error(`${screen} was waited for, and ${is.reason ?? is.screen} came:\n${await describe(this.page)}`);
        }
      }
      return null;
    }, { page: this.page, within });
  }
}

/** Fails when any open page logged an error. */
export function assertNoFailures() {
  const failures = [...watched].flatMap((page) => page.failures.map((text) => `${page.url()}: ${text}`));
  if (failures.length > 0) throw new Error(`pages logged errors:\n${failures.join("\n")}`);
}

/** Steps that build on each other: once one fails, the rest is skipped, and says so. */
export function walk() {
  let broken = null;
  return (name, steps) =>
    test(name, async (context) => {
      if (broken !== null) return context.skip(`"${broken}" failed before`);
      console.log(`  walking: ${name}`);
      try {
        await steps(context);
        assertNoFailures();
      } catch (error) {
        broken = name;
        for (const page of watched) await photograph(page, name);
        throw error;
      }
    });
}

async function photograph(page, name) {
  if (page.isPrivate || page.isClosed()) return;
  const folder = join(repository, "test-results/failures");
  mkdirSync(folder, { recursive: true });
  const file = `${name} ${new URL(page.url()).pathname} ${[...watched].indexOf(page)}`.replace(/[^a-z0-9]+/gi, "-");
  await page.screenshot({ path: join(folder, `${file}.png`) }).catch(() => undefined);
}

let step = 0;
/** Keeps a picture of the page, numbered in the order of the walk. */
export async function keep(page, name) {
  if (page.isPrivate) throw new Error("this page shows a real hand: no picture of it is kept");
  const folder = join(screenshots, basename(process.argv[1], ".test.mjs"));
  // Pictures of an earlier walk do not stand between those of this one.
  if (step === 0) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  step += 1;
  await page.screenshot({ path: join(folder, `${String(step).padStart(2, "0")}-${name}.png`) });
}

/** The JSON that an API route answers; throws what the problem says. */
export async function api(base, path, { method = "GET", body, key, cookie } = {}) {
  const response = await fetch(`${base}/api/v1${path}`, {
    method,
    headers: {
      ...(body ? { "content-type": "application/json" } : {}),
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(cookie ? { cookie, "x-handfast": "1" } : {}),
    },
    body: body ? JSON.stringify(body) : undefined,
  });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : null;
  if (!response.ok) throw Object.assign(new Error(answer?.detail ?? text), { status: response.status, problem: answer });
  return answer;
}
