// What can be checked: a person's own browser finds the uses of their palm in the public log, the
// report counts leaves, databases are compared with the log, and a deletion has its proof.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { api, keep, openBrowser, openPage, run, startDemo, until, walk } from "./harness.mjs";
import { connect, signIn } from "./pedestal.mjs";

const step = walk();
const NIGHT_ONE = "Mountain Sounds, night one";

let demo;
let browser;
let evening;
const fan = (name) => evening.fans.find((candidate) => candidate.name.startsWith(name));

before(async () => {
  demo = await startDemo();
  browser = await openBrowser();
  evening = await api(demo.url, "/demo");
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** Waits for a screen that may be over before anybody looks. */
async function shown(pedestal, ...screens) {
  const found = () => pedestal.views.find((view) => screens.includes(view.screen));
  return until(`one of ${screens} at the pedestal, after ${pedestal.views.map((view) => view.screen)}`, found);
}

/** Links a palm; whose capture is refused shows the hand once more, as people do. */
async function link(name, tries = 3) {
  const { index, tickets } = fan(name);
  const { code } = tickets.find((ticket) => ticket.event_name === NIGHT_ONE);
  const booth = await connect(demo.url, "outside");
  booth.send({ type: "source", kind: "simulated", fan: index, code });
  await booth.on("welcome");
  booth.send({ type: "begin" });
  await booth.on("consent");
  booth.send({ type: "accept", scope: "venue" });
  await booth.on("choose_hands");
  booth.send({ type: "hands", choice: "one" });
  const { screen, reason } = await shown(booth, "linked", "turned_away");
  await booth.close();
  if (reason === "capture_refused" && tries > 1) return link(name, tries - 1);
  assert.equal(screen, "linked", `${name}'s palm was turned away: ${reason}`);
}

/** Shows a hand at the lane until it was searched. */
async function show(index, tries = 3) {
  const lane = await connect(demo.url, "lane");
  lane.send({ type: "source", kind: "simulated", fan: index });
  await lane.on("welcome");
  lane.send({ type: "begin" });
  const { screen, reason } = await shown(lane, "choose_count", "admitted", "turned_away");
  await lane.close();
  if (reason === "capture_refused" && tries > 1) return show(index, tries - 1);
  assert.notEqual(reason, "not_recognised", `${screen}: ${reason}`);
}

/** A booth at whose consent somebody younger stands. */
async function younger(ticket) {
  const booth = await connect(demo.url, "outside");
  await booth.on("welcome");
  booth.send({ type: "begin" });
  await booth.on("show_ticket");
  booth.send({ type: "ticket_code", code: ticket.code });
  const consent = await booth.on("consent");
  assert.deepEqual(consent.age, { from: 18, by_guardian: false });
  booth.send({ type: "younger" });
  assert.equal((await booth.on("younger")).minimum, 13);
  return booth;
}

/** A page at which somebody is signed in. */
async function signedIn(email, address, { realm = "fan", ...window } = {}) {
  const page = await openPage(browser, window);
  const [key, value] = (await signIn(demo.url, email, realm)).split("=");
  await page.context().addCookies([{ name: key, value, url: demo.url }]);
  await page.goto(`${demo.url}${address}`);
  return page;
}

/** A window of a signed-in fan. */
async function portal(name, size) {
  const page = await openPage(browser, { size });
  const [key, value] = (await signIn(demo.url, fan(name).email)).split("=");
  await page.context().addCookies([{ name: key, value, url: demo.url }]);
  await page.goto(`${demo.url}/portal#/uses`);
  return page;
}

const check = (page) => page.locator(".check");

step("two people link their palms, and each browser finds its own uses and no others", async () => {
  await link("Ana");
  await link("Ben");
  await show(fan("Ana").index);
  await show(fan("Ben").index);
  await show(fan("Ana").index);
  for (const [name, uses] of [["Ana", 2], ["Ben", 1]]) {
    const page = await portal(name, "desk");
    await check(page).getByText(new RegExp(`, ${uses} found it`)).waitFor();
    assert.equal(await page.locator(".own").count(), uses, "each found use is marked in the list");
    assert.match(await check(page).innerText(), /The list below has every one of them/);
    if (name === "Ana") await keep(page, "trust-uses-desk");
    await page.close();
  }
  const phone = await portal("Ana", "phone");
  await check(phone).getByText(/2 found it/).waitFor();
  await check(phone).scrollIntoViewIfNeeded();
  await keep(phone, "trust-uses-phone");
  await phone.close();
});

step("a use that the service hides is found by the browser all the same", async () => {
  const page = await openPage(browser, {});
  const [key, value] = (await signIn(demo.url, fan("Ana").email)).split("=");
  await page.context().addCookies([{ name: key, value, url: demo.url }]);
  // As if the service listed one use less than there was.
  await page.route("**/api/v1/me/receipts", async (route) => {
    const lines = await (await route.fetch()).json();
    const hidden = lines.findIndex((line) => line.kind === "identify");
    await route.fulfill({ json: lines.filter((_, at) => at !== hidden) });
  });
  await page.goto(`${demo.url}/portal#/uses`);
  await check(page).getByText("1 of them is not in the list below").waitFor();
  await keep(page, "trust-hidden-use");
  await page.close();
});

step("the report and the plain words are there for everybody, in each language and size", async () => {
  for (const [size, language] of [["desk", "en-US"], ["phone", "es-ES"], ["desk", "de-DE"]]) {
    for (const address of ["transparency", "privacy"]) {
      const page = await openPage(browser, { size, language });
      await page.goto(`${demo.url}/${address}`);
      await page.locator("h1").waitFor();
      if (address === "transparency") await page.locator("figure").nth(4).waitFor();
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.ok(!tooWide, `${address} is wider than a ${size}`);
      await keep(page, `trust-${address}-${size}-${language.slice(0, 2)}`);
      await page.close();
    }
  }
  const { months } = await api(demo.url, "/transparency");
  assert.equal(months.at(-1).searches, 3);
  assert.equal(months.at(-1).enrolled, 2);
});

step("the databases say what the log says; then Ana deletes and the report counts it", async () => {
  const key = (await (await fetch(`${demo.url}/log/key`)).text()).trim();
  const compare = () => run(["verify", "data", "--data", demo.data, "--key", key]);
  assert.equal(compare().code, 0, compare().out);
  const cookie = await signIn(demo.url, fan("Ana").email);
  const [{ link_id }] = await api(demo.url, "/me/links", { cookie });
  await api(demo.url, `/me/links/${link_id}`, { method: "DELETE", cookie });
  await until("the deletion in the report", async () =>
    (await api(demo.url, "/transparency")).months.at(-1).deleted_by_person === 1);
  const agreed = await until("databases and log that agree", () => compare().code === 0);
  assert.ok(agreed);
  assert.ok(existsSync(join(demo.data, "deletions")));
  const log = run(["verify", "log", demo.url, "--key", key]);
  assert.equal(log.code, 0, log.out);
});

step("somebody younger goes on with the code, or with a guardian who consents in the portal", async () => {
  const david = fan("David");
  const ticket = david.tickets.find(({ event_name }) => event_name === NIGHT_ONE);
  const small = await younger(ticket);
  small.send({ type: "age", choice: "too_young" });
  assert.deepEqual(await small.on("turned_away"), { screen: "turned_away", reason: "too_young", way_on: "qr_lane" });
  await small.close();
  const child = await younger(ticket);
  child.send({ type: "age", choice: "minor" });
  assert.equal((await child.on("turned_away")).reason, "guardian_wanted");
  await child.close();
  const mail = await until("a mail to the ticket's holder", async () =>
    (await api(demo.url, "/demo/mailbox")).find(({ to, link }) => to === david.email && link?.includes("#/guardian/")));
  const address = new URL(mail.link).pathname + new URL(mail.link).hash;
  for (const [size, language] of [["phone", "es-ES"], ["desk", "de-DE"], ["phone", "en-US"]]) {
    const page = await signedIn(david.email, address, { size, language });
    await page.getByTestId("guardian-agree").waitFor();
    await keep(page, `trust-guardian-${size}-${language.slice(0, 2)}`);
    if (language === "en-US") {
      await page.getByTestId("guardian-agree").click();
      await page.getByTestId("guardian-withdraw").waitFor();
      await keep(page, "trust-guardian-given");
    }
    await page.close();
  }
  const booth = await connect(demo.url, "outside");
  booth.send({ type: "source", kind: "simulated", fan: david.index, code: ticket.code });
  await booth.on("welcome");
  booth.send({ type: "begin" });
  await booth.on("consent");
  booth.send({ type: "younger" });
  await booth.on("younger");
  booth.send({ type: "age", choice: "minor" });
  assert.deepEqual((await booth.on("consent")).age, { from: 13, by_guardian: true });
  booth.send({ type: "accept", scope: "event" });
  await booth.on("choose_hands");
  booth.send({ type: "hands", choice: "one" });
  assert.equal((await shown(booth, "linked", "turned_away")).screen, "linked");
  await booth.close();
  const cookie = await signIn(demo.url, david.email);
  const enrolled = (await api(demo.url, "/me/receipts", { cookie })).find(({ kind }) => kind === "enrol");
  assert.equal(enrolled.record["handfast:age"]["handfast:said"], "guardian");
  assert.equal(enrolled.record["handfast:age"]["handfast:saidBy"], "holder");
  assert.ok(!JSON.stringify(enrolled.record).match(/birth|\byears\b/i), "no age is kept");
});

step("what touches many people takes two operators, and both words are in the log", async () => {
  const one = await signedIn("olivia@example.org", "/console#/approvals", { realm: "staff", size: "desk" });
  await one.getByTestId("approval-reason").fill("The artist asked for it");
  await one.getByTestId("approval-ask").click();
  await one.getByTestId("approval").waitFor();
  assert.equal(await one.getByTestId("approve").count(), 0, "nobody approves their own");
  await keep(one, "trust-approvals-asked");
  const olivia = await signIn(demo.url, "olivia@example.org", "staff");
  const [{ number }] = await api(demo.url, "/console/approvals", { cookie: olivia });
  const own = await fetch(`${demo.url}/api/v1/console/approvals/${number}`, {
    method: "POST", body: JSON.stringify({ approve: true }),
    headers: { "content-type": "application/json", "x-handfast": "1", cookie: olivia },
  });
  assert.equal(own.status, 409);
  for (const [size, language] of [["phone", "es-ES"], ["desk", "de-DE"]]) {
    const two = await signedIn("oscar@example.org", "/console#/approvals", { realm: "staff", size, language });
    await two.getByTestId("approval").waitFor();
    const tooWide = await two.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.ok(!tooWide, `the approvals are wider than a ${size}`);
    await keep(two, `trust-approvals-${size}-${language.slice(0, 2)}`);
    if (size === "desk") {
      await two.getByTestId("approve").click();
      await two.getByText("erledigt").waitFor();
      await keep(two, "trust-approvals-done");
    }
    await two.close();
  }
  await one.close();
  const key = (await (await fetch(`${demo.url}/log/key`)).text()).trim();
  const log = run(["verify", "log", demo.url, "--key", key]);
  assert.equal(log.code, 0, log.out);
});
