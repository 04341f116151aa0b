// The same evening through a camera: Chromium's fake camera plays a film, and its frames go the way
// that a real camera's go.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { api, assertNoFailures, keep, openBrowser, openPage, repository, run, Screens, startDemo } from "./harness.mjs";

const NIGHT_ONE = "Mountain Sounds, night one";
/** Real hands are never part of the repository; where they are not, their test says so. */
const palms = process.env.HANDFAST_PALMS ?? join(repository, "../shared/palms");
const realHands = join(palms, "coep-hand");

let demo;
let folder;
let evening;
const codeOf = (name) =>
  evening.fans.find((fan) => fan.name.startsWith(name)).tickets.find((ticket) => ticket.event_name === NIGHT_ONE).code;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "handfast-film-"));
  demo = await startDemo();
  evening = await api(demo.url, "/demo");
});

after(async () => {
  await demo?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Makes a film; it plays in a loop, so that a hand that came too early comes again. */
function film(name, ...scenes) {
  const file = join(folder, `${name}.y4m`);
  const made = run(["synth", "video", "--out", file, ...scenes]);
  assert.equal(made.code, 0, made.err);
  return file;
}

/** A station's page whose camera plays `video`; `isPrivate` pages are never photographed. */
async function withCamera(station, video, visit, { isPrivate = false, size = "kiosk" } = {}) {
  const browser = await openBrowser({ video });
  try {
    const page = await openPage(browser, { size, permissions: ["camera"] });
    page.isPrivate = isPrivate;
    const { api_key: key } = await api(demo.url, `/demo/stations/${station}/key`, { method: "POST" });
    await page.goto(`${demo.url}/pedestal#/key/${key}`);
    await page.getByTestId("use-camera").click();
    const screens = await new Screens(page).fromNow();
    await visit(page, screens);
    assertNoFailures();
  } finally {
    await browser.close();
  }
}

/** Links whatever palm the camera sees with the ticket that it sees. */
async function enrolOneHand(page, screens, picture = () => undefined) {
  await screens.next("welcome");
  assert.equal(page.framesSent, 0, "nothing is looked at before somebody begins");
  await page.getByTestId("begin").click();
  await screens.next("show_ticket");
  await picture("ticket");
  await screens.next("consent");
  const before = page.framesSent;
  await page.getByText("Nothing of your hand has been looked at so far.").waitFor();
  await page.getByTestId("accept").click();
  await screens.next("choose_hands");
  assert.equal(page.framesSent, before, "no frame leaves the page while the consent is read");
  await page.getByTestId("hands-one").click();
  await screens.next("palm");
  await page.locator("[data-guidance=ready]").waitFor();
  await picture("palm");
  const linked = await screens.next("linked");
  assert.match(linked.text, /1 palm is linked/);
}

async function enter(page, screens, answer, reason) {
  await screens.next("welcome");
  await page.getByTestId("begin").click();
  return screens.next(answer, { reason });
}

test("a camera's hand is linked with the ticket that the camera reads, and enters", async () => {
  console.log("  walking: ticket and simulated hand through the browser's camera");
  const enrolment = film("enrol", `ticket:${codeOf("David")}:2000`, "empty:1200", "hand:4004:right:5000", "empty:1000");
  await withCamera("outside", enrolment, (page, screens) =>
    enrolOneHand(page, screens, (name) => keep(page, `booth-${name}`)));
  const entry = film("enter", "empty:1500", "hand:4004:right:4000", "empty:1000");
  await withCamera("lane", entry, async (page, screens) => {
    const admitted = await enter(page, screens, "admitted");
    assert.match(admitted.text, /To the left/);
    await keep(page, "lane-admitted");
  });
});

test("another hand before the camera is not recognised", async () => {
  console.log("  walking: a stranger's hand through the browser's camera");
  const stranger = film("stranger", "empty:1500", "hand:5005:right:4000", "empty:1000");
  await withCamera("lane", stranger, (page, screens) => enter(page, screens, "turned_away", "not_recognised"));
});

/** Pictures of one palm, the first ones of the set that are enough for this test. */
function pictures(palm) {
  const at = join(realHands, palm);
  return readdirSync(at).sort().map((name) => join(at, name));
}

test("real hands: linked with some pictures, known by others, a stranger is not", async (context) => {
  if (!existsSync(realHands)) {
    console.log(`  skipped: no real hands at ${realHands} (set HANDFAST_PALMS to a folder that has coep-hand)`);
    return context.skip("no pictures of real hands here");
  }
  console.log("  walking: pictures of real hands through the browser's camera; no screenshot is kept");
  const isPrivate = true;
  const [palm, stranger] = ["p002", "p010"].map(pictures);
  assert.ok(palm.length >= 4 && stranger.length >= 1, "enough pictures of these palms");
  const still = (file, ms) => `picture:${file}:${ms}`;
  const enrolment = film("real-enrol", `ticket:${codeOf("Chloe")}:2000`, "empty:1200",
    still(palm[0], 2000), "empty:1200", still(palm[1], 2000), "empty:1000");
  await withCamera("outside", enrolment, (page, screens) => enrolOneHand(page, screens), { isPrivate });
  const entry = film("real-enter", "empty:1500", still(palm[2], 1500), still(palm[3], 1500), "empty:1000");
  await withCamera("lane", entry, async (page, screens) => {
    const admitted = await enter(page, screens, "admitted");
    assert.match(admitted.text, /1 ticket/);
  }, { isPrivate });
  const other = film("real-stranger", "empty:1500", still(stranger[0], 3000), "empty:1000");
  await withCamera("lane", other, (page, screens) => enter(page, screens, "turned_away", "not_recognised"), { isPrivate });
});
