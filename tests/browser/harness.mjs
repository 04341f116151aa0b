// Starts a real server on a free port with a fresh data folder, and real browsers against it.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const handfast = process.env.HANDFAST_BIN ?? join(repository, "target/debug/handfast");
const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const screenshots = join(repository, "test-results/screenshots");

// A browser that phones home is slow on a machine without a network; none of these pages needs it.
const quietBrowser = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Starts `handfast demo` on a free port; resolves when it answers. */
export async function startDemo({ args = [] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "handfast-walk-"));
  const data = join(folder, "data");
  const server = spawn(handfast, ["demo", "--data", data, "--listen", "127.0.0.1:0", "--json", ...args], {
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
    url, data, log: () => Buffer.concat(log).toString(),
    async stop() {
      if (server.exitCode === null) {
        const ended = new Promise((done) => server.once("exit", done));
        server.kill("SIGTERM");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
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

/** One page of its own context at a size people use. */
export async function openPage(browser, { size = "desk", language = "en-US", permissions = [] } = {}) {
  const viewport = {
    desk: { width: 1440, height: 900 }, kiosk: { width: 1080, height: 1920 }, phone: { width: 390, height: 844 },
  }[size];
  const context = await browser.newContext({ viewport, locale: language, permissions });
  const page = await context.newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(String(error)));
  page.on("console", (message) => {
    // A refused content-security policy or a thrown error shows up here, and nowhere else.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.failures.push(message.text());
  });
  return page;
}

let step = 0;
/** Keeps a picture of the page, numbered in the order of the walk. */
export async function keep(page, name) {
  mkdirSync(screenshots, { recursive: true });
  step += 1;
  await page.screenshot({ path: join(screenshots, `${String(step).padStart(2, "0")}-${name}.png`) });
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
