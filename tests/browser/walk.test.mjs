// One evening, lived through the pages: link a palm, enter, pay, delete. Whoever breaks a step sees
// which one, and what the pages showed.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { api, keep, openBrowser, openPage, run, Screens, startDemo, until, walk } from "./harness.mjs";
import { NIGHT_ONE, scan, STRANGER, Visitor } from "./visitor.mjs";

const step = walk();
/** What the scripted enrolment may take of the system's own time. */
const ENROLMENT_MS_MAX = 20_000;

let demo;
let browser;
let folder;
let evening;
let visitor;
const codeOf = (...which) => visitor.codeOf(...which);

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "handfast-film-"));
  const film = join(folder, "nobody.y4m");
  const made = run(["synth", "video", "--out", film, "empty:1000"]);
  assert.equal(made.code, 0, made.err);
  demo = await startDemo();
  // A camera in front of which nobody stands: for the charge that is cancelled before a hover.
  browser = await openBrowser({ video: film });
  evening = await api(demo.url, "/demo");
  visitor = new Visitor(demo.url, browser, evening);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const begin = (page) => page.getByTestId("begin").click();

/** From "start" to "linked" with the ticket shown to the camera. */
async function enrol({ page, screens }, { scope, hands }) {
  await begin(page);
  await screens.next("show_ticket");
  await screens.next("consent");
  await page.getByRole("radio", { name: scope }).check();
  await page.getByTestId("accept").click();
  await screens.next("choose_hands");
  await page.getByTestId(hands).click();
  await screens.next("palm");
  return screens.next("linked");
}

/** Asks to enter, and gives what the lane answered. */
async function hover({ page, screens }, answer, reason) {
  await screens.fromNow();
  await begin(page);
  const shown = await screens.next(answer, { reason });
  return shown.text;
}

/** Back at the lane's first screen, ready for the next person; a refusal is read and put away. */
async function laneIsFree(page) {
  const begin = page.getByTestId("begin");
  await begin.or(page.getByTestId("ok")).or(page.getByTestId("outcome")).first().waitFor();
  if (await page.getByTestId("ok").isVisible()) await page.getByTestId("ok").click();
  await begin.waitFor();
}

step("the lobby shows stations, fans and staff at every size", async () => {
  for (const size of ["desk", "phone"]) {
    const page = await openPage(browser, { size });
    await page.goto(`${demo.url}/`);
    await page.getByRole("button", { name: /Booth outside/ }).waitFor();
    assert.equal(await page.getByTestId("station").count(), evening.stations.length);
    await page.getByRole("link", { name: /Ana Torres/ }).waitFor();
    await keep(page, `lobby-${size}`);
    await page.close();
  }
});

let booth;
step("Ana shows her ticket at the booth outside and reads the consent; no palm was asked for", async () => {
  const page = await visitor.openStation(/Booth outside/, { size: "kiosk" });
  await page.getByTestId("use-simulated").waitFor();
  await keep(page, "booth-source");
  await visitor.choosePerson(page, "Ana Torres", codeOf("Ana", NIGHT_ONE));
  booth = { page, screens: await new Screens(page).fromNow() };
  await booth.screens.next("welcome");
  await keep(page, "booth-welcome");
  booth.startedAt = performance.now();
  await begin(page);
  await booth.screens.next("show_ticket");
  const consent = await booth.screens.next("consent");
  assert.match(consent.text, /Mountain Sounds, night one/);
  assert.match(consent.text, /I agree/);
  const before = (await booth.screens.all()).map(({ screen }) => screen);
  assert.deepEqual(before.filter((screen) => screen === "palm"), []);
  assert.equal(page.framesSent, 0, "no camera frame leaves the page in a simulation");
  await keep(page, "booth-consent");
});

step("she agrees for all venues, and both palms are linked within 20 s of system time", async () => {
  const { page, screens } = booth;
  await page.getByRole("radio", { name: /All venues/ }).check();
  await page.getByTestId("accept").click();
  await screens.next("choose_hands");
  await keep(page, "booth-hands");
  const readAndKept = performance.now();
  await page.getByRole("button", { name: "Both palms" }).click();
  await screens.next("palm");
  await page.locator("[data-guidance=ready]").waitFor();
  await keep(page, "booth-palm");
  const linked = await screens.next("linked");
  const took = (await clock(page, linked)) - booth.startedAt;
  console.log(`  enrolment from start to linked: ${Math.round(took)} ms, of it palms ${Math.round((await clock(page, linked)) - readAndKept)} ms`);
  assert.ok(took <= ENROLMENT_MS_MAX, `the scripted enrolment took ${Math.round(took)} ms`);
  assert.match(linked.text, /2 palms are linked/);
  assert.match(linked.text, /You can enter with it tonight/);
  await keep(page, "booth-linked");
  await page.getByTestId("finish").click();
  await page.getByTestId("begin").waitFor();
});

/** When a screen came, on this process's clock. */
async function clock(page, shown) {
  const there = await page.evaluate(() => performance.now());
  return performance.now() - (there - shown.at);
}

step("the same palm with somebody else's ticket is already linked", async () => {
  const { page, screens } = booth;
  await page.getByRole("button", { name: /Change the source/ }).click();
  await visitor.choosePerson(page, "Ana Torres", "");
  await screens.fromNow();
  await begin(page);
  await screens.next("show_ticket");
  await keep(page, "booth-show-ticket");
  await page.getByTestId("ticket-code").fill(codeOf("David", NIGHT_ONE));
  await page.keyboard.press("Enter");
  await screens.next("consent");
  await page.getByTestId("accept").click();
  await screens.next("choose_hands");
  await page.getByTestId("hands-one").click();
  await screens.next("palm");
  const away = await screens.next("turned_away", { reason: "already_linked" });
  assert.match(away.text, /Nothing was stored again/);
  await keep(page, "booth-already-linked");
  await page.getByTestId("ok").click();
});

step("unknown, other event's and unpaid codes are refused at the booth, each in its own words", async () => {
  const { page, screens } = booth;
  await begin(page);
  await screens.next("show_ticket");
  for (const [code, words] of [
    ["HF1.NOTATICKET", /We do not know this code/],
    [codeOf("Farid", "The Late Set"), /for another event/],
    [codeOf("Emma", NIGHT_ONE), /not valid now/],
  ]) {
    await page.getByTestId("ticket-code").fill(code);
    await page.getByRole("button", { name: "Use this code" }).click();
    await page.getByText(words).waitFor();
  }
  await keep(page, "booth-code-refused");
  await page.getByTestId("ticket-code").fill(codeOf("Chloe", "Unplugged"));
  await page.getByRole("button", { name: "Use this code" }).click();
  await until("a sign that Unplugged takes no palms", async () => {
    const text = await page.locator("main").innerText();
    return /No palms at this event|for another event/.test(text);
  }, { page });
  await page.close();
});

step("Chloe declines the consent in Spanish: nothing of a hand is looked at", async () => {
  const station = await visitor.pedestal(/Booth outside/, "Chloe Nguyen", { ticket: codeOf("Chloe", NIGHT_ONE) });
  const { page, screens } = station;
  await screens.next("welcome");
  await page.getByRole("button", { name: "Español" }).click();
  await begin(page);
  await screens.next("consent");
  await page.locator("article[lang=es]").waitFor();
  await keep(page, "booth-consent-es");
  await page.getByTestId("decline").click();
  await screens.next("turned_away", { reason: "declined_consent" });
  assert.ok(!(await screens.all()).some(({ screen }) => screen === "palm"));
  await keep(page, "booth-declined-es");
  await page.close();
});

step("Ana confirms by mail that it was her", async () => {
  const page = await openPage(browser, { size: "phone" });
  await page.goto(`${demo.url}/mailbox`);
  await page.getByTestId("mail").first().waitFor();
  await keep(page, "mailbox");
  await visitor.openMail(page, "ana@example.org", NIGHT_ONE);
  await page.getByTestId("confirm").waitFor();
  await keep(page, "decision");
  await page.getByTestId("confirm").click();
  await page.getByText("Confirmed. Your palm now works").waitFor();
  await page.close();
});

let lane;
step("her palm opens the lane, once", async () => {
  lane = await visitor.pedestal(/Palm lane, Red Rocks/, "Ana Torres");
  await laneIsFree(lane.page);
  await keep(lane.page, "lane-welcome");
  const admitted = hover(lane, "admitted");
  await lane.page.getByTestId("outcome").waitFor();
  await keep(lane.page, "lane-admitted");
  const text = await admitted;
  assert.match(text, /To the left/);
  assert.match(text, /1 ticket/);
  assert.doesNotMatch(text, /Ana/, "a lane shows no name");
  await laneIsFree(lane.page);
  await hover(lane, "turned_away", "already_redeemed");
  await keep(lane.page, "lane-already-redeemed");
});

step("a hand that nobody linked is not recognised", async () => {
  await lane.page.getByRole("button", { name: /Change the source/ }).click();
  await visitor.choosePerson(lane.page, STRANGER);
  await laneIsFree(lane.page);
  const text = await hover(lane, "turned_away", "not_recognised");
  assert.match(text, /QR lane/);
  await keep(lane.page, "lane-not-recognised");
  await lane.page.close();
});

let scanner;
step("the agent's scan: entered by palm is already used; unknown, other event's and unpaid codes", async () => {
  scanner = await visitor.openStation(/Agent scan/, { size: "phone" });
  await scanner.getByTestId("code").waitFor();
  await keep(scanner, "scan-ready");
  const used = await scan(scanner, codeOf("Ana", NIGHT_ONE));
  assert.equal(used.outcome, "already_redeemed");
  assert.match(used.text, /by palm/);
  assert.match(used.text, /South gate · Palm lane/);
  await keep(scanner, "scan-already-used");
  await scanner.getByTestId("next").click();
  for (const [code, outcome] of [
    ["HF1.0000000000000000000000000000", "invalid"],
    [codeOf("Farid", "The Late Set"), "invalid"],
    [codeOf("Emma", NIGHT_ONE), "unpaid"],
  ]) {
    assert.equal((await scan(scanner, code)).outcome, outcome, code);
    await keep(scanner, `scan-${outcome}`);
    await scanner.getByTestId("next").click();
  }
});

step("Mission Hall opens on the standing consent for all venues", async () => {
  const hall = await visitor.pedestal(/Mission Hall/, "Ana Torres");
  await laneIsFree(hall.page);
  const text = await hover(hall, "admitted");
  assert.match(text, /Straight on/);
  await keep(hall.page, "hall-admitted");
  await hall.page.close();
});

step("Chloe links in German, enters by code, and her palm is already redeemed", async () => {
  const station = await visitor.pedestal(/Booth outside/, "Chloe Nguyen", { ticket: codeOf("Chloe", NIGHT_ONE), language: "de-DE" });
  await station.page.getByText("Verknüpfe").first().waitFor();
  await keep(station.page, "booth-welcome-de");
  await enrol(station, { scope: /Nur dies/, hands: "hands-one" });
  await keep(station.page, "booth-linked-de");
  await station.page.close();
  const entered = await scan(scanner, codeOf("Chloe", NIGHT_ONE));
  assert.equal(entered.outcome, "ok");
  await keep(scanner, "scan-ok");
  const chloe = await visitor.pedestal(/Palm lane, Red Rocks/, "Chloe Nguyen");
  await laneIsFree(chloe.page);
  await hover(chloe, "turned_away", "already_redeemed");
  await chloe.page.close();
});

step("Ben holds four tickets: three enter, then the fourth", async () => {
  const station = await visitor.pedestal(/Booth outside/, "Ben Okafor", { ticket: codeOf("Ben", NIGHT_ONE, 1), size: "desk" });
  await enrol(station, { scope: /This event only/, hands: "hands-one" });
  await keep(station.page, "booth-linked-desk");
  await station.page.close();
  const mail = await openPage(browser);
  await visitor.openMail(mail, "ben@example.org", NIGHT_ONE);
  await mail.getByTestId("confirm").click();
  await mail.getByText("Confirmed.").waitFor();
  await mail.close();
  const ben = await visitor.pedestal(/Palm lane, Red Rocks/, "Ben Okafor");
  await laneIsFree(ben.page);
  const asked = await hover(ben, "choose_count");
  assert.match(asked, /4 tickets are on this palm/);
  await keep(ben.page, "lane-how-many");
  await ben.page.getByTestId("count-3").click();
  const three = await ben.screens.next("admitted");
  assert.match(three.text, /3 tickets/);
  await laneIsFree(ben.page);
  const fourth = await hover(ben, "admitted");
  assert.match(fourth, /1 ticket/);
  await laneIsFree(ben.page);
  await hover(ben, "turned_away", "already_redeemed");
  await ben.page.close();
});

step("the booth inside links with a ticket already used, for the next event", async () => {
  assert.equal((await scan(scanner, codeOf("David", NIGHT_ONE))).outcome, "ok");
  const outside = await visitor.pedestal(/Booth outside/, "David Klein", { ticket: codeOf("David", NIGHT_ONE) });
  await begin(outside.page);
  await outside.page.getByText("You can link your palm at the pedestal inside.").waitFor();
  await keep(outside.page, "booth-ticket-used");
  await outside.page.close();
  const inside = await visitor.pedestal(/Booth inside/, "David Klein", { ticket: codeOf("David", NIGHT_ONE) });
  const linked = await enrol(inside, { scope: /All events at this venue/, hands: "hands-one" });
  assert.match(linked.text, /from the next event on/);
  await keep(inside.page, "booth-inside-linked");
  await inside.page.close();
});

let portal;
step("the portal: tickets, what is armed, every use", async () => {
  portal = await visitor.signIn("portal", "ana@example.org", { size: "phone" });
  await portal.getByRole("heading", { name: "My tickets" }).waitFor();
  await portal.getByText("Entered").first().waitFor();
  await keep(portal, "portal-tickets");
  await portal.getByRole("link", { name: "Palm", exact: true }).click();
  const link = portal.getByTestId("link");
  await link.waitFor();
  const text = await link.innerText();
  assert.match(text, /Left palm \+ Right palm|Right palm \+ Left palm/);
  assert.match(text, /Mountain Sounds, night two/, "armed for the next night by the standing consent");
  await keep(portal, "portal-palm");
  await portal.getByRole("link", { name: "Uses" }).click();
  await portal.getByText("Palm linked", { exact: true }).waitFor();
  assert.equal(await portal.getByText("Entered", { exact: true }).count(), 2);
  await keep(portal, "portal-uses");
});

/** Takes the newest proof of a kind out of the portal, as a file. */
async function takeProof(kind) {
  const line = portal.getByRole("listitem").filter({ hasText: kind }).first();
  const proof = line.getByRole("link", { name: /Get the proof/ });
  await proof.waitFor();
  const [download] = await Promise.all([portal.waitForEvent("download"), proof.click()]);
  const file = join(demo.folder, download.suggestedFilename());
  await download.saveAs(file);
  return file;
}

/** What the command line says of a proof, by the log's key as it is published. */
async function verifyProof(file) {
  const key = (await (await fetch(`${demo.url}/log/key`)).text()).trim();
  const { code, out } = run(["verify", "receipt", file, "--key", key, "--json"]);
  return { code, shown: JSON.parse(out) };
}

step("every use is in the public log, with a proof that the command line checks offline", async () => {
  const linked = await verifyProof(await takeProof("Palm linked, with your consent"));
  assert.equal(linked.code, 0);
  assert.equal(linked.shown.kind, "Enrol");
  assert.equal(linked.shown.record["@type"], "dpv:ConsentRecord");
  const file = await takeProof("Palm recognised: entry");
  const entered = await verifyProof(file);
  assert.equal(entered.code, 0);
  assert.equal(entered.shown.record.purpose, "entry");
  await keep(portal, "portal-proofs");
  // Another place in its text, and the proof shows nothing any more.
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/^index \d+/m, "index 0"));
  assert.equal((await verifyProof(file)).code, 1);
  const log = run(["verify", "log", demo.url, "--json"]);
  assert.equal(log.code, 0, log.out);
  const { kinds } = JSON.parse(log.out);
  assert.ok(kinds.Enrol >= 1 && kinds.Identify >= 2 && kinds.Arm >= 1, log.out);
});

step("the wallet: a payment method at the test gateway brings ten dollars, then pay by palm", async () => {
  await portal.getByRole("link", { name: "Wallet" }).click();
  await portal.getByTestId("add-method").click();
  await portal.getByRole("heading", { name: "Test gateway" }).waitFor();
  await portal.getByRole("radio", { name: /always approves/ }).check();
  await keep(portal, "gateway");
  await portal.getByTestId("choose").click();
  await portal.getByText("The payment method is added.").waitFor();
  assert.equal(await portal.getByTestId("credit").innerText(), "$10.00");
  await portal.getByRole("switch", { name: "Pay by palm" }).click();
  await portal.getByRole("button", { name: "I agree, switch on" }).click();
  await portal.getByText("On: your palm pays").waitFor();
  await portal.getByText("Foothill Kitchen").first().waitFor();
  await keep(portal, "wallet");
});

let register;
step("a charge is cancelled before anybody hovers", async () => {
  register = await visitor.openStation(/^Register/, { size: "desk" });
  await register.getByTestId("amount").waitFor();
  const counter = await visitor.openStation(/Counter pedestal/, { size: "kiosk" });
  await counter.getByTestId("use-camera").click();
  const screens = await new Screens(counter).fromNow();
  await screens.next("waiting_for_charge");
  await keep(counter, "counter-waiting");
  for (const key of ["3", "00"]) await register.getByRole("button", { name: key, exact: true }).click();
  await register.getByTestId("start").click();
  await screens.next("palm");
  await counter.getByText("$3.00").waitFor();
  await register.getByTestId("cancel").click();
  await screens.next("turned_away", { reason: "charge_cancelled" });
  await keep(counter, "counter-cancelled");
  await register.locator("[data-testid=charge-state][data-state=cancelled]").waitFor();
  await counter.close();
});

step("12.50 is paid by palm, ten of it from the credit", async () => {
  const counter = await visitor.pedestal(/Counter pedestal/, "Ana Torres");
  await counter.screens.next("waiting_for_charge");
  await register.getByRole("button", { name: "New charge" }).click();
  await register.keyboard.type("1250");
  await register.getByTestId("description").fill("Two bowls of soup");
  await register.getByRole("button", { name: "Ask for $12.50" }).click();
  const asked = await counter.screens.next("palm");
  await keep(counter.page, "counter-asks");
  const number = (await register.getByTestId("charge-number").innerText()).match(/\d+/)[0];
  assert.match(asked.text, /Foothill Kitchen/);
  assert.match(asked.text, /\$12\.50/);
  assert.match(asked.text, new RegExp(`Charge ${number}\\b`));
  await keep(register, "register-waiting");
  const paid = await counter.screens.next("paid");
  await keep(counter.page, "counter-paid");
  assert.match(paid.text, /\$12\.50/);
  assert.match(paid.text, /Credit used: \$10\.00/);
  await register.locator("[data-testid=charge-state][data-state=captured]").waitFor();
  await keep(register, "register-paid");
  await counter.page.close();
});

step("the receipt, and the whole amount back", async () => {
  const [receipt] = await Promise.all([
    register.waitForEvent("popup"),
    register.getByRole("link", { name: "Receipt" }).first().click(),
  ]);
  await receipt.locator("[data-state=captured]").waitFor();
  assert.match(await receipt.locator("main").innerText(), /Charged to your payment method\s*\$2\.50/);
  await keep(receipt, "receipt");
  await register.getByRole("button", { name: "Refund", exact: true }).click();
  await register.getByRole("button", { name: "Refund $12.50" }).click();
  await register.locator("[data-testid=charge-state][data-state=refunded]").waitFor();
  await keep(register, "register-refunded");
  await receipt.reload();
  await receipt.locator("[data-state=refunded]").waitFor();
  await keep(receipt, "receipt-refunded");
  await receipt.close();
  await register.close();
  await portal.getByRole("link", { name: "Tickets" }).click();
  await portal.getByRole("link", { name: "Wallet" }).click();
  await portal.getByTestId("credit").waitFor();
  assert.equal(await portal.getByTestId("credit").innerText(), "$10.00");
  await portal.getByText("Refunded").waitFor();
  await keep(portal, "wallet-refunded");
});

step("the console: who entered how, and the switch that ends palms at an event", async () => {
  const console = await visitor.signIn("console", "olivia@example.org", { size: "desk" });
  await console.getByRole("link", { name: /night one/ }).click();
  await until("seven entries in the console", async () => (await console.getByTestId("entered").innerText()) === "7", { page: console });
  await keep(console, "console");
  lane = await visitor.pedestal(/Palm lane, Red Rocks/, "Ana Torres");
  await laneIsFree(lane.page);
  await console.getByRole("switch", { name: "No biometrics at this event" }).click();
  await keep(console, "console-switch");
  await console.getByRole("button", { name: "Switch biometrics off" }).click();
  await lane.page.getByText("No palms at this event").waitFor();
  await keep(lane.page, "lane-no-biometrics");
  await console.getByText("On: everybody enters with a code.").waitFor();
  await keep(console, "console-no-biometrics");
  assert.equal(await lane.page.getByTestId("begin").count(), 0, "there is nothing to start");
  const seen = (await lane.screens.all()).map(({ screen }) => screen);
  assert.ok(!seen.includes("palm"), `no palm was looked at: ${seen}`);
  await console.getByRole("switch", { name: "No biometrics at this event" }).click();
  await console.getByRole("button", { name: "Allow palms" }).click();
  await laneIsFree(lane.page);
  await hover(lane, "turned_away", "already_redeemed");
  await console.close();
});

step("a steward sees no figures", async () => {
  const page = await visitor.signIn("console", "toni@example.org", { size: "desk", language: "de-DE" });
  await page.getByText(/Ihre Rolle, Einlass/).waitFor();
  assert.equal(await page.getByTestId("entered").count(), 0);
  await keep(page, "console-steward-de");
  await page.close();
});

step("Ana deletes her palms and gets a receipt; the lane knows them no more", async () => {
  await portal.getByRole("link", { name: "Palm", exact: true }).click();
  await portal.getByTestId("delete").click();
  await keep(portal, "portal-delete-question");
  await portal.getByRole("button", { name: "Delete for good" }).click();
  const receipt = portal.getByTestId("deletion-receipt");
  await receipt.waitFor();
  assert.match(await receipt.innerText(), /2 palms were deleted/);
  await portal.getByText("No palm is linked to your account.").waitFor();
  await until("the focus at the receipt", () => receipt.evaluate((element) => element === document.activeElement));
  await keep(portal, "portal-deleted");
  await laneIsFree(lane.page);
  await hover(lane, "turned_away", "not_recognised");
  await keep(lane.page, "lane-after-deletion");
  await portal.getByRole("link", { name: "Uses" }).click();
  await portal.getByText("Palm deleted").first().waitFor();
  await keep(portal, "portal-uses-after");
  const deleted = await verifyProof(await takeProof("Palm deleted, with a receipt"));
  assert.equal(deleted.code, 0);
  assert.equal(deleted.shown.record.palms, 2);
});

step("the portal speaks German to David, whose link waits for his word", async () => {
  const page = await visitor.signIn("portal", "david@example.org", { size: "desk", language: "de-DE" });
  await page.getByRole("heading", { name: NIGHT_ONE }).waitFor();
  await keep(page, "portal-tickets-de");
  await page.getByRole("link", { name: "Hand", exact: true }).click();
  await page.getByTestId("link").waitFor();
  await keep(page, "portal-palm-de");
  await page.close();
});
