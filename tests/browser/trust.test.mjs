// What can be checked: a person's own browser finds the uses of their palm in the public log, the
// report counts leaves, databases are compared with the log, and a deletion has its proof.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { api, keep, openBrowser, openPage, run, startDemo, until, walk } from "./harness.mjs";
import { connect, signIn } from "./pedestal.mjs";
import { NIGHT_ONE, Visitor } from "./visitor.mjs";

const step = walk();

let demo;
let browser;
let visitor;
const fan = (name) => visitor.fan(name);

before(async () => {
  demo = await startDemo();
  browser = await openBrowser();
  visitor = new Visitor(demo.url, browser, await api(demo.url, "/demo"));
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

/** A fan's uses in the portal. */
const portal = (name, size) => visitor.signedIn(fan(name).email, "/portal#/uses", { size });

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
    await nodesSaid(page, uses);
    if (name === "Ana") await keep(page, "trust-uses-desk");
    await page.close();
  }
  const phone = await portal("Ana", "phone");
  await check(phone).getByText(/2 found it/).waitFor();
  await check(phone).scrollIntoViewIfNeeded();
  await keep(phone, "trust-uses-phone");
  await phone.close();
});

/** Where nodes match, each use shows what the three of them signed. */
async function nodesSaid(page, uses) {
  const { form } = await api(demo.url, "/vault");
  const said = page.locator("[data-said=signed]");
  await until("what the nodes said of each use", async () => (await said.count()) === (form === "in_clear" ? 0 : uses), { page });
  assert.equal(await page.locator("[data-said=missing]").count(), 0);
  if (form === "in_clear") return;
  await said.first().locator("summary").click();
  const holds = await said.first().getByText("signature holds").count();
  assert.ok(holds > 0 && holds % 3 === 0, `${holds} signatures hold`);
  await said.first().getByText("as in the public log").first().waitFor();
  await said.first().scrollIntoViewIfNeeded();
  await keep(page, "trust-nodes-said");
}

step("a part that another wrote is shown as wrong, and a leaf that differs as well", async (context) => {
  if ((await api(demo.url, "/vault")).form === "in_clear") return context.skip("one machine matches in clear here");
  const page = await openPage(browser, { size: "phone" });
  await visitor.sit(page, await signIn(demo.url, fan("Ben").email));
  // As if the service had put another part in place of node B's.
  await page.route("**/api/v1/me/receipts", async (route) => {
    const lines = await (await route.fetch()).json();
    for (const { record } of lines.filter(({ record }) => record.tags)) {
      const [search] = record.tags.searches;
      search.parts[1] = search.parts[0];
    }
    await route.fulfill({ json: lines });
  });
  await page.goto(`${demo.url}/portal#/uses`);
  const wrong = page.locator("[data-said=wrong]").first();
  await wrong.getByText("The signature of node B does not hold.").waitFor();
  await wrong.scrollIntoViewIfNeeded();
  await keep(page, "trust-nodes-said-wrong");
  await page.unroute("**/api/v1/me/receipts");
  // As if the service had nothing of the nodes.
  await page.route("**/api/v1/me/receipts", async (route) => {
    const lines = await (await route.fetch()).json();
    await route.fulfill({ json: lines.map((line) => ({ ...line, record: { ...line.record, tags: undefined } })) });
  });
  await page.reload();
  await page.locator("[data-said=missing]").first().getByText("No node’s signature came with this search.").waitFor();
  assert.equal(await page.locator("[data-said=signed]").count(), 0);
  await page.close();
});

step("a use that the service hides is found by the browser all the same", async () => {
  const page = await openPage(browser, {});
  await visitor.sit(page, await signIn(demo.url, fan("Ana").email));
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
    const page = await visitor.signedIn(david.email, address, { size, language });
    await page.getByTestId("guardian-agree").waitFor();
    await keep(page, `trust-guardian-${size}-${language.slice(0, 2)}`);
    if (language === "en-US") {
      await page.getByTestId("guardian-agree").click();
      await page.getByTestId("guardian-withdraw").waitFor();
      await keep(page, "trust-guardian-given");
    }
    await page.close();
  }
  await linkAsMinor(david, ticket);
  assert.deepEqual(await saidOfAge(david), guardianSaid("holder"), "who said it, and no age");
});

/** Links a palm as somebody younger, for whom a guardian consented. */
async function linkAsMinor({ index }, { code }, tries = 3) {
  const booth = await connect(demo.url, "outside");
  booth.send({ type: "source", kind: "simulated", fan: index, code });
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
  const { screen, reason } = await shown(booth, "linked", "turned_away");
  await booth.close();
  if (reason === "capture_refused" && tries > 1) return linkAsMinor({ index }, { code }, tries - 1);
  assert.equal(screen, "linked", reason);
}

const guardianSaid = (by) =>
  ({ "@type": "dpv:GuardianOfDataSubject", "handfast:said": "guardian", "handfast:saidBy": by });

/** What a person's own record holds of their age, but for when it was said. */
async function saidOfAge({ email }) {
  const cookie = await signIn(demo.url, email);
  const enrolled = (await api(demo.url, "/me/receipts", { cookie })).find(({ kind }) => kind === "enrol");
  const { "dct:date": at, ...said } = enrolled.record["handfast:age"];
  assert.ok(Date.parse(at["@value"]) > 0);
  return said;
}

step("a guardian who comes to the window reads the words there, and the child links a palm", async () => {
  const chloe = fan("Chloe");
  const ticket = chloe.tickets.find(({ event_name }) => event_name === NIGHT_ONE);
  const cookie = await signIn(demo.url, chloe.email);
  const { ticket_id } = (await api(demo.url, "/me/tickets", { cookie })).find((one) => one.code === ticket.code);
  const page = await visitor.signedIn("sam@example.org", "/window#/find", { realm: "staff" });
  await page.getByTestId("search").fill("Chloe");
  await page.keyboard.press("Enter");
  await page.getByTestId("found").first().click();
  // The demo's order has tickets for several nights.
  await page.locator(`input[value="${ticket_id}"]`).check();
  await page.getByTestId("guardian-here").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/of 13 to 17 years/).waitFor();
  await keep(page, "trust-window-guardian");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "hidden" });
  assert.equal(await page.getByTestId("guardian-took-down").count(), 0, "nothing is recorded before somebody agrees");
  await page.getByTestId("guardian-here").click();
  await dialog.getByRole("button", { name: "I agree as parent or guardian" }).click();
  await page.getByTestId("guardian-took-down").waitFor();
  await keep(page, "trust-window-guardian-given");
  await page.close();
  await linkAsMinor(chloe, ticket);
  assert.deepEqual(await saidOfAge(chloe), guardianSaid("staff"));
});

step("what touches many people takes two operators, and both words are in the log", async () => {
  const one = await visitor.signedIn("olivia@example.org", "/console#/approvals", { realm: "staff", size: "desk" });
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
    const two = await visitor.signedIn("oscar@example.org", "/console#/approvals", { realm: "staff", size, language });
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
  const words = await until("both words in the public log", async () => {
    const found = (await leaves()).filter((leaf) => leaf[1] === FOUR_EYES);
    return found.length >= 2 && found;
  });
  const people = (leaf) => leaf.readUInt32BE(HEAD_BYTES + 2);
  assert.deepEqual(words.map((leaf) => [leaf[HEAD_BYTES], leaf[HEAD_BYTES + 1]]), [[ASKED, END_PALMS], [APPROVED, END_PALMS]]);
  assert.equal(people(words[0]), people(words[1]), "both are about as many people");
  const key = (await (await fetch(`${demo.url}/log/key`)).text()).trim();
  const log = run(["verify", "log", demo.url, "--key", key]);
  assert.equal(log.code, 0, log.out);
});

step("where a venue is for grown-ups, the pages say that no guardian's consent counts", async () => {
  const olivia = await signIn(demo.url, "olivia@example.org", "staff");
  const oscar = await signIn(demo.url, "oscar@example.org", "staff");
  const event = (await api(demo.url, "/console/events", { cookie: olivia })).find(({ name }) => name === NIGHT_ONE);
  const venues = await api(demo.url, "/console/venues", { cookie: olivia });
  const { venue_id } = venues.find(({ name }) => name === event.venue_name);
  const act = { act: "set_minimum_age", venue_id, years: 21 };
  const { number } = await api(demo.url, "/console/approvals", { method: "POST", cookie: olivia, body: { act, reason: "a bar at every gate" } });
  await api(demo.url, `/console/approvals/${number}`, { method: "POST", cookie: oscar, body: { approve: true } });
  await until("the venue's rule", async () =>
    (await api(demo.url, `/guardian-consent/en?event_id=${event.event_id}`)).minimum_age === 21);
  const cookie = await signIn(demo.url, fan("Ben").email);
  const ticket = (await api(demo.url, "/me/tickets", { cookie })).find((one) => one.event.name === NIGHT_ONE);
  for (const [size, language] of [["phone", "es-ES"], ["desk", "de-DE"], ["desk", "en-US"]]) {
    const page = await visitor.seated(cookie, `/portal#/guardian/${ticket.ticket_id}`, { size, language });
    assert.match(await page.getByTestId("guardian-no-use").innerText(), /21/);
    assert.equal(await page.getByTestId("guardian-agree").count(), 0);
    await keep(page, `trust-guardian-no-use-${size}-${language.slice(0, 2)}`);
    await page.close();
  }
  const { version } = await api(demo.url, `/guardian-consent/en?event_id=${event.event_id}`);
  const refused = api(demo.url, `/me/tickets/${ticket.ticket_id}/guardian-consent`, {
    method: "PUT", cookie, body: { text_version: version, language: "en" },
  });
  await assert.rejects(refused, ({ status }) => status === 409);
});

// What a leaf says, as crates/tlog/src/leaf.rs and vocabulary.rs have it.
const HEAD_BYTES = 1 + 1 + 8 + 32;
const FOUR_EYES = 12;
const [ASKED, APPROVED] = [1, 2];
const END_PALMS = 1;
/** Leaves in a full bundle (C2SP tlog-tiles); this evening fills none. */
const BUNDLE = 256;

/** The leaves of the public log, the oldest first. */
async function leaves() {
  const size = Number((await (await fetch(`${demo.url}/log/checkpoint`)).text()).split("\n")[1]);
  assert.ok(size < BUNDLE, "the log of one evening fits one bundle");
  const bundle = Buffer.from(await (await fetch(`${demo.url}/log/tile/entries/000.p/${size}`)).arrayBuffer());
  const found = [];
  for (let at = 0; at < bundle.length; at += 2 + bundle.readUInt16BE(at)) {
    found.push(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at)));
  }
  return found;
}
