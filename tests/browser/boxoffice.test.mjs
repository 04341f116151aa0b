// Tickets from the order to the gate, in a real browser: bought online, sold at the window, handed on,
// scanned by an agent and by a palm lane, and counted at the console.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Screens, api, keep, openBrowser, openPage, run, startDemo, until, walk } from "./harness.mjs";
import { signIn } from "./pedestal.mjs";
import { asked, NIGHT_ONE, scan as shown, Visitor } from "./visitor.mjs";

const step = walk();
const ZOE = "zoe@example.org";
const YAN = "yan@example.org";
let demo;
let browser;
let evening;
let visitor;
let fanPage;
let consolePage;

before(async () => {
  demo = await startDemo();
  evening = await api(demo.url, "/demo");
  browser = await openBrowser();
  visitor = new Visitor(demo.url, browser, evening);
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** The verdict's outcome, and the scanner ready for the next. */
async function scan(page, code) {
  const { outcome } = await shown(page, code);
  await page.getByTestId("next").click();
  return outcome;
}

async function entered() {
  await consolePage.getByRole("link", { name: NIGHT_ONE }).first().click();
  return Number(await consolePage.getByTestId("entered").innerText());
}

step("a newcomer orders: reserved, without a payment method refused, then paid", async () => {
  fanPage = await openPage(browser, { size: "phone", keeps: true });
  await fanPage.goto(`${demo.url}/order`);
  await fanPage.getByTestId("event").filter({ hasText: NIGHT_ONE }).first().waitFor();
  await keep(fanPage, "order-events-phone");
  await fanPage.getByTestId("event").filter({ hasText: NIGHT_ONE }).first().click();
  const more = fanPage.getByRole("button", { name: "One more of General admission" });
  await more.click();
  await more.click();
  assert.equal(await fanPage.getByTestId("total").innerText(), "$90.00");
  await fanPage.getByTestId("join-name").fill("Zoe Lang");
  await fanPage.getByTestId("join-email").fill(ZOE);
  await keep(fanPage, "order-join-phone");
  await fanPage.getByTestId("join").click();
  const link = await visitor.mailLink(ZOE, "Sign in");
  const tab = await fanPage.context().newPage();
  await tab.goto(link);
  await tab.getByRole("button", { name: "Sign out" }).waitFor();
  await fanPage.getByRole("button", { name: "I have opened the link" }).click();
  await fanPage.getByTestId("hold").click();
  await fanPage.getByTestId("pay").click();
  await fanPage.getByText("There is no payment method in your wallet yet.").waitFor();
  await keep(fanPage, "order-no-method-phone");
  const setup = await asked(tab, "/me/wallet/setup", "POST");
  const gateway = setup.body.url.split("/").pop();
  const offered = await asked(tab, `/test-gateway/setup/${gateway}`);
  const good = offered.body.instruments[0].id;
  const chosen = await asked(tab, `/test-gateway/setup/${gateway}`, "POST", { instrument_id: good });
  await tab.goto(new URL(chosen.body.return_url, demo.url).href);
  await until("the payment method", async () => {
    const wallet = await asked(tab, "/me/wallet");
    return (wallet.body?.payment_methods ?? []).length === 1;
  });
  await tab.close();
  await fanPage.getByTestId("pay").click();
  await fanPage.getByTestId("order-paid").waitFor();
  await keep(fanPage, "order-paid-phone");
});

step("the console counts what is sold, and a lane of the agent lets one of the two in", async () => {
  consolePage = await visitor.signedIn("olivia@example.org", "/console", { realm: "staff" });
  const before = await entered();
  const tickets = (await asked(fanPage, "/me/tickets")).body;
  assert.equal(tickets.length, 2);
  const scanner = await openPage(browser, { size: "phone" });
  await scanner.goto(`${demo.url}/scan#/demo/scan`);
  assert.equal(await scan(scanner, tickets[0].code), "ok");
  assert.equal(await scan(scanner, tickets[0].code), "already_redeemed");
  await until("one more entered", async () => (await entered()) === before + 1);
  // The minute that goes on is not counted: of a gate that just opened nothing is known yet.
  const gate = consolePage.getByTestId("gate-waits").locator("[data-wait]").filter({ hasText: "South gate" });
  assert.equal(await gate.getAttribute("data-wait"), "unknown");
  await gate.getByText("not known").waitFor();
  await keep(consolePage, "console-desk");
  await scanner.close();
});

step("a signed code and one that turns: without a network too, and nothing that stands still opens", async () => {
  await fanPage.goto(`${demo.url}/order`);
  await fanPage.getByTestId("event").filter({ hasText: NIGHT_ONE }).first().click();
  await fanPage.getByRole("button", { name: "One more of Terrace seat" }).click();
  await fanPage.getByRole("button", { name: "One more of Front row" }).click();
  await fanPage.getByTestId("hold").click();
  await fanPage.getByTestId("pay").click();
  await fanPage.getByTestId("order-paid").waitFor();
  const tickets = (await asked(fanPage, "/me/tickets")).body;
  const signed = tickets.find((one) => one.codes === "signed");
  const turning = tickets.find((one) => one.codes === "rotating");
  assert.match(signed.code, /^HF2\./);
  assert.equal(turning.code, null, "no code that stands still leaves the server");

  const phone = await fanPage.context().newPage();
  await phone.setViewportSize({ width: 390, height: 844 });
  await phone.clock.install();
  await phone.goto(`${demo.url}/portal#/tickets`);
  const card = phone.locator("article").filter({ hasText: "Front row" });
  const shown = card.getByTestId("ticket-code");
  await shown.waitFor();
  await card.scrollIntoViewIfNeeded();
  await keep(phone, "ticket-rotating-phone");
  const first = await shown.innerText();
  assert.match(first, /^HF3\.\w{26}\.\d{8}$/);
  await until("the page to be kept", () => pageKeptBy(phone), { page: phone });
  await phone.context().setOffline(true);
  await phone.clock.fastForward(15_000);
  await until("the code to turn without a network", async () => (await shown.innerText()) !== first, { page: phone });
  // Loaded again without a network: the page, the tickets and what the code turns with are on the phone.
  await phone.reload();
  await phone.getByTestId("kept").waitFor();
  await shown.waitFor();
  const turned = await shown.innerText();
  assert.match(turned, /^HF3\.\w{26}\.\d{8}$/);
  assert.equal(await card.getByRole("link").count(), 0, "nothing is offered that needs the server");
  await keep(phone, "tickets-kept-phone");
  await phone.context().setOffline(false);
  await phone.setViewportSize({ width: 1440, height: 900 });
  await keep(phone, "tickets-desk");
  await phone.close();

  const scanner = await openPage(browser, { size: "phone" });
  await scanner.goto(`${demo.url}/scan#/demo/scan`);
  // Eight digits that were never shown.
  const guessed = turned.slice(0, -8) + String((Number(turned.slice(-8)) + 1) % 1e8).padStart(8, "0");
  assert.equal(await scan(scanner, guessed), "invalid");
  assert.equal(await scan(scanner, turned), "ok");
  assert.equal(await scan(scanner, turned), "already_redeemed");

  // The operator asks why, and nobody enters by it.
  await consolePage.getByRole("link", { name: NIGHT_ONE }).first().click();
  await consolePage.getByTestId("event-set-up").click();
  const why = consolePage.getByTestId("explain");
  await why.locator("summary").click();
  await consolePage.getByTestId("explain-code").fill(signed.code);
  await consolePage.getByTestId("explain-do").click();
  const said = consolePage.getByTestId("explained");
  await said.waitFor();
  assert.equal(await said.getAttribute("data-outcome"), "ok", await said.innerText());
  assert.ok((await said.locator("li").count()) > 5);
  await said.scrollIntoViewIfNeeded();
  await keep(consolePage, "explain-desk");
  const still = (await asked(fanPage, "/me/tickets")).body.find((one) => one.ticket_id === signed.ticket_id);
  assert.equal(still.entered, null);
  assert.equal(await scan(scanner, signed.code), "ok");
  await scanner.close();
});

step("the other is handed on by mail, and its old code opens nothing", async () => {
  const unused = (await asked(fanPage, "/me/tickets")).body.find((one) => one.entered === null && one.codes === "static");
  await fanPage.goto(`${demo.url}/order#/ticket/${unused.ticket_id}`);
  await fanPage.getByTestId("give-to").fill(YAN);
  await fanPage.getByTestId("give").click();
  await fanPage.getByTestId("given").waitFor();
  await keep(fanPage, "hand-on-phone");
  const taker = await openPage(browser, { size: "phone", language: "de-DE" });
  await taker.goto(await visitor.mailLink(YAN, ""));
  await taker.getByTestId("taker").fill("Yan Vogt");
  await keep(taker, "take-phone-de");
  await taker.getByTestId("take").click();
  await taker.getByTestId("taken").waitFor();
  const scanner = await openPage(browser, { size: "phone" });
  await scanner.goto(`${demo.url}/scan#/demo/scan`);
  assert.notEqual(await scan(scanner, unused.code), "ok");
  await scanner.close();
  await taker.close();
});

step("a palm lane and an agent's lane on the same ticket: one of them lets in", async () => {
  const ana = evening.fans.find((fan) => fan.name.startsWith("Ana"));
  const code = ana.tickets.find((ticket) => ticket.event_name === NIGHT_ONE).code;
  const booth = await openPage(browser, { size: "kiosk" });
  await booth.goto(`${demo.url}/pedestal#/demo/outside/as/${ana.index}/${encodeURIComponent(code)}`);
  const boothScreens = new Screens(booth);
  await booth.getByTestId("begin").click();
  await boothScreens.next("show_ticket");
  await boothScreens.next("consent");
  await booth.getByTestId("accept").click();
  await boothScreens.next("choose_hands");
  await booth.getByTestId("hands-both").or(booth.getByTestId("hands-right")).first().click();
  await boothScreens.next("linked");
  const lane = await openPage(browser, { size: "kiosk" });
  await lane.goto(`${demo.url}/pedestal#/demo/lane/as/${ana.index}`);
  const laneScreens = new Screens(lane);
  await lane.getByTestId("begin").click();
  await laneScreens.next("admitted");
  const scanner = await openPage(browser, { size: "phone" });
  await scanner.goto(`${demo.url}/scan#/demo/scan`);
  assert.equal(await scan(scanner, code), "already_redeemed");
  for (const page of [booth, lane, scanner]) await page.close();
});

step("a palm is moved by the code of the moment, asked for once somebody says so", async () => {
  const ana = visitor.fan("Ana");
  const page = await visitor.signedIn(ana.email, "/portal", { size: "phone" });
  // As if her tickets turned; the requests are what is looked at.
  await page.route("**/api/v1/me/tickets", async (route) => {
    const tickets = await (await route.fetch()).json();
    await route.fulfill({ json: tickets.map((one) => ({ ...one, codes: "rotating", code: null, qr_svg: null })) });
  });
  const seen = [];
  await page.route("**/rotating-code", (route) => {
    seen.push("asked");
    return route.fulfill({ json: { beginning: "HF3.X.", secret: "31".repeat(20), digits: 8, period_seconds: 15, now: new Date().toISOString() } });
  });
  await page.route("**/me/links/*/move", (route) => {
    seen.push(route.request().postDataJSON().code);
    return route.fulfill({ status: 204 });
  });
  await page.goto(`${demo.url}/portal#/palm`);
  await page.getByRole("button", { name: "Move to another ticket" }).click();
  const dialog = page.getByRole("dialog").filter({ hasText: "Move this palm" });
  await dialog.getByRole("button", { name: new RegExp(NIGHT_ONE) }).first().click();
  await dialog.getByText("the one of that moment is taken").waitFor();
  await keep(page, "move-palm-phone");
  assert.deepEqual(seen, [], "no code is asked for before it is needed");
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await page.getByText("The palm is moved.").waitFor();
  assert.equal(seen.length, 2);
  assert.match(seen[1], /^HF3\.X\.\d{8}$/);
  await page.close();
});

step("an entry is taken back once a steward means it, and not lost when the connection is", async () => {
  const { code } = evening.fans.find((fan) => fan.name.startsWith("Ben")).tickets
    .findLast((ticket) => ticket.event_name === NIGHT_ONE);
  const scanner = await openPage(browser, { size: "phone" });
  await scanner.goto(`${demo.url}/scan#/demo/scan`);
  assert.equal(await scan(scanner, code), "ok");
  // The green sign is gone; the list of the latest scans still knows.
  await scanner.getByTestId("take-back-earlier").click();
  await scanner.getByTestId("taking-back").getByRole("button", { name: "Cancel" }).click();
  assert.equal(await scan(scanner, code), "already_redeemed");
  await scanner.getByTestId("take-back-earlier").click();
  await scanner.route("**/admissions/annul", (route) => route.abort());
  await scanner.getByTestId("take-back-do").click();
  await scanner.getByTestId("undecided").getByText("Taking it back is not done yet").waitFor();
  await keep(scanner, "take-back-waits");
  await scanner.unroute("**/admissions/annul");
  await scanner.getByTestId("taken-back").waitFor();
  await scanner.getByTestId("taken-back").getByRole("button").click();
  assert.equal(await scan(scanner, code), "ok");
  await scanner.close();
});

step("an order that waits is paid in cash at the window", async () => {
  const event = (await asked(fanPage, "/sales/events")).body.find((one) => one.name === NIGHT_ONE).event_id;
  const lines = [{ product: "General admission", quantity: 1 }];
  const held = await asked(fanPage, "/me/orders", "POST", { event_id: event, lines, nonce: "walk-held-0001" });
  assert.equal(held.body.state, "pending");
  const page = await visitor.signedIn("sam@example.org", "/window", { realm: "staff" });
  await page.goto(`${demo.url}/window#/find`);
  await page.getByTestId("search").fill("Zoe Lang");
  await page.keyboard.press("Enter");
  const unpaid = page.getByTestId("found").filter({ hasText: /not paid/i });
  await unpaid.first().click();
  await keep(page, "window-unpaid-desk");
  await page.getByTestId("paid-cash").click();
  await page.getByText("Cash", { exact: true }).waitFor();
  assert.equal((await asked(fanPage, `/me/orders/${held.body.order_id}`)).body.state, "paid");
  await page.close();
});

step("the window sells for cash, prints, exchanges and gives back, in three languages", async () => {
  const page = await visitor.signedIn("sam@example.org", "/window", { realm: "staff" });
  await page.getByTestId("product").first().waitFor();
  const box = page.getByTestId("product").filter({ hasText: "General admission" });
  await box.getByRole("button").last().click();
  await page.getByTestId("holder").fill("Walk Up");
  await keep(page, "window-desk");
  await page.getByTestId("sell").click();
  await page.getByTestId("sold").waitFor();
  const pdf = await page.getByTestId("print").getAttribute("href");
  const printed = await page.evaluate(async (address) => {
    const answer = await fetch(address);
    return { type: answer.headers.get("content-type"), size: (await answer.arrayBuffer()).byteLength };
  }, pdf);
  assert.equal(printed.type, "application/pdf");
  assert.ok(printed.size > 1_000);
  await page.goto(`${demo.url}/window#/find`);
  await page.getByTestId("search").fill("Walk Up");
  await page.keyboard.press("Enter");
  await page.getByTestId("found").first().click();
  await page.getByRole("checkbox").first().check();
  await page.getByTestId("reason").fill("wants to sit");
  await page.getByLabel("Exchange for").selectOption("Terrace seat");
  await page.getByTestId("exchange").click();
  await page.getByTestId("difference").waitFor();
  assert.match(await page.getByTestId("difference").innerText(), /\$30\.00/);
  await keep(page, "window-exchange-desk");
  await page.getByRole("checkbox", { name: /Terrace/ }).check();
  await page.getByTestId("reason").fill("ill");
  await page.getByTestId("refund").click();
  await page.getByRole("dialog").getByRole("button", { name: "Give back" }).click();
  await page.getByTestId("given-back").getByText("Handed out at the window").waitFor();
  await keep(page, "window-given-back-desk");
  await until("both are cancelled", async () => (await page.getByText("cancelled", { exact: false }).count()) >= 2, { page });
  await page.close();
  for (const [language, word] of [["es-ES", "Vender"], ["de-DE", "Verkaufen"]]) {
    const other = await visitor.signedIn("sam@example.org", "/window", { realm: "staff", language });
    await other.getByRole("link", { name: word, exact: true }).waitFor();
    await other.getByTestId("product").first().waitFor();
    await keep(other, `window-${language.slice(0, 2)}`);
    await other.close();
  }
});

step("an order over several events shows each with its tickets at the window", async () => {
  const page = await visitor.signedIn("sam@example.org", "/window", { realm: "staff" });
  const events = (await asked(page, "/window/events")).body.filter((one) => one.products.length > 0);
  const [first, second] = events;
  const rows = [second, first, second].map(({ event_id, products }) => `M-1,${event_id},${products[0].name},Mia Multi,mia@example.org`);
  const file = join(demo.folder, "several.csv");
  writeFileSync(file, `order,event,product,name,email\n${rows.join("\n")}\n`);
  const { code, err } = run(["import", file, "--data", demo.data]);
  assert.equal(code, 0, err);
  await page.goto(`${demo.url}/window#/find`);
  await page.getByTestId("search").fill("Mia Multi");
  await page.keyboard.press("Enter");
  await page.getByTestId("found").first().click();
  const shown = page.getByTestId("order-event");
  await shown.nth(1).waitFor();
  for (const [at, event, tickets] of [[0, first, 1], [1, second, 2]]) {
    assert.match(await shown.nth(at).getByRole("heading").innerText(), new RegExp(event.name));
    assert.equal(await shown.nth(at).getByRole("checkbox").count(), tickets);
  }
  await shown.nth(1).getByRole("checkbox").first().check();
  const offered = await page.getByLabel("Exchange for").locator("option").allInnerTexts();
  assert.deepEqual(offered, second.products.map((one) => one.name));
  await keep(page, "window-several-desk");
  await page.close();
});

step("an operator sets up a venue, an event, a product and a device", async () => {
  const page = consolePage;
  await page.goto(`${demo.url}/console#/setup`);
  await page.getByTestId("venue-name").fill("Harbour Hall");
  await page.getByTestId("add-venue").click();
  const hall = page.locator("details").filter({ hasText: "Harbour Hall" });
  await hall.locator("summary").click();
  await hall.getByTestId("gate-name").fill("Quay gate");
  await hall.getByTestId("add-gate").click();
  await hall.getByTestId("lane-name").fill("Lane 1");
  await hall.getByTestId("add-lane").click();
  await hall.getByText("Lane 1 (Straight)").waitFor();
  await page.getByTestId("event-name").fill("Harbour Night");
  await page.getByLabel("Venue").selectOption("Harbour Hall");
  await page.getByTestId("doors").fill("2031-06-01T18:00");
  await page.getByTestId("starts").fill("2031-06-01T20:00");
  await page.getByTestId("ends").fill("2031-06-01T23:30");
  await keep(page, "setup-desk");
  await page.getByTestId("add-event").click();
  await page.getByRole("heading", { name: "Harbour Night" }).waitFor();
  await page.getByTestId("product-name").fill("Pier");
  await page.getByTestId("product-price").fill("12.50");
  await page.getByTestId("product-capacity").fill("30");
  await page.getByTestId("product-codes").selectOption({ label: "Rotating" });
  await page.getByTestId("save-product").click();
  await page.getByText("0 of 30").waitFor();
  const product = page.locator("li").filter({ hasText: "0 of 30" });
  await product.getByText("Rotating").waitFor();

  // A rule in plain words, and the same as data.
  const rule = page.getByTestId("rule");
  await rule.getByTestId("rule-add-first").click();
  await rule.getByTestId("rule-shift").fill("-30");
  await rule.getByTestId("rule-add-first").click();
  await rule.getByTestId("rule-kind").last().selectOption({ label: "Entries today" });
  await rule.getByTestId("rule-count").fill("2");
  await rule.locator("summary").click();
  const data = rule.getByTestId("rule-data");
  const written = { all: [{ from: { of: "doors", shift_minutes: -30 } }, { entries_today: { less_than: 2 } }] };
  assert.deepEqual(JSON.parse(await data.inputValue()), written);
  await rule.scrollIntoViewIfNeeded();
  await keep(page, "rule-desk");
  await page.setViewportSize({ width: 390, height: 844 });
  await keep(page, "rule-phone");
  await page.setViewportSize({ width: 1440, height: 900 });
  await data.fill('{"any": [{"inside": true}, {"not": {"products": ["Pier"]}}]}');
  assert.equal(await rule.getByTestId("rule-line").count(), 2);
  await rule.getByRole("checkbox", { name: "Pier" }).uncheck();
  await rule.getByText("A line lacks something").waitFor();
  await rule.getByRole("checkbox", { name: "Pier" }).check();
  await data.fill('{"sometimes": true}');
  await rule.getByText("This data is no rule").waitFor();
  await data.fill(JSON.stringify(written));
  await page.getByTestId("save-list").click();
  await until("the rule to be kept", async () => {
    const kept = await asked(page, `/console/events/${page.url().match(/evt_\w+/)[0]}/lists`);
    return JSON.stringify(kept.body?.[0]?.terms.rule) === JSON.stringify(written);
  }, { page });
  await page.getByTestId("device-name").fill("Quay scanner");
  await page.getByTestId("device-lane").selectOption({ label: "Quay gate · Lane 1" });
  await page.getByTestId("invite").click();
  const code = await page.getByTestId("invitation").innerText();
  assert.match(code, /^HFP1\./);
  await page.getByTestId("invitation").scrollIntoViewIfNeeded();
  await keep(page, "setup-event-desk");
  const used = await fetch(`${demo.url}/api/v1/device/provision`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code }),
  });
  assert.equal(used.status, 200);
  const again = await fetch(`${demo.url}/api/v1/device/provision`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code }),
  });
  assert.equal(again.status, 410);
});

step("who may not is refused: a steward at the window, another's order, a fan at the console", async () => {
  const steward = await visitor.signedIn("toni@example.org", "/window", { realm: "staff" });
  await steward.getByText("Your role does not open the window.").waitFor();
  assert.equal((await asked(steward, "/window/events")).status, 403);
  assert.equal((await asked(steward, "/console/venues")).status, 403);
  assert.equal((await asked(fanPage, "/console/venues")).status, 403);
  assert.equal((await asked(fanPage, "/me/orders/ord_00000000000000000000000000")).status, 404);
  await steward.close();
});

step("the console asks once for what a set-up shows, and for no part that is not open", async () => {
  const page = await visitor.signedIn("olivia@example.org", "/console", { realm: "staff" });
  await page.getByTestId("entered").waitFor();
  const seen = [];
  page.on("request", (request) => seen.push(new URL(request.url()).pathname.replace(/evt_\w+/, "EVENT")));
  const times = (path) => seen.filter((one) => one === `/api/v1${path}`).length;
  await page.getByTestId("event-set-up").click();
  await page.getByTestId("product-name").waitFor();
  await page.getByTestId("rule-add-first").focus();
  const from = seen.length;
  // The page's own note of the vault is asked for as often as the gates' figures would be.
  await until("the page to ask for something again", () => seen.slice(from).filter((one) => one === "/api/v1/vault").length >= 2);
  for (const path of ["/window/events", "/console/events/EVENT/lists", "/console/events/EVENT/devices", "/console/venues"]) {
    assert.equal(times(path), 1, `${path} is asked for ${times(path)} times`);
  }
  assert.ok(!seen.slice(from).some((path) => path.endsWith("/live") || path.endsWith("/occupancy")), "nobody looks at the gates");
  await page.close();
});

/** What the portal keeps on the device of a page's window. */
const keptBy = (page) => page.evaluate(() => new Promise((done) => {
  const request = indexedDB.open("handfast-portal");
  request.onsuccess = () => {
    const all = request.result.transaction("tickets").objectStore("tickets").getAll();
    all.onsuccess = () => {
      request.result.close();
      done(all.result.map(({ ticket, shown }) => ({ codes: ticket.codes, readable: shown?.key.extractable ?? null })));
    };
  };
}));

/** Whether the portal's own page is on the device. */
const pageKeptBy = (page) => page.evaluate(async () => {
  const kept = await caches.open("portal-page-1");
  return (await kept.match("/portal")) && (await kept.keys()).length > 2;
});

const isKey = ({ codes, readable }) => codes === "rotating" && readable === false;

step("tickets are shown from the device while the service fails or does not answer", async () => {
  // Without its worker, so that the test's routes see every request.
  const page = await visitor.signedIn(ZOE, "/portal", { size: "phone" });
  await page.locator("article").first().waitFor();
  await until("the tickets to be kept", async () => (await keptBy(page)).length > 0, { page });
  const session = "**/api/v1/session";
  await page.route(session, (route) => route.fulfill({ status: 503, json: {} }));
  await page.reload();
  await page.getByTestId("kept").waitFor();
  await page.unroute(session);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByTestId("kept").waitFor({ state: "detached" });
  await page.route(session, () => undefined);
  await page.reload();
  await page.getByTestId("kept").waitFor();
  assert.ok((await page.locator("article").count()) > 0);
  await page.unrouteAll({ behavior: "ignoreErrors" });
  // Who is signed in is answered, and the tickets are not.
  const tickets = "**/api/v1/me/tickets";
  await page.route(tickets, (route) => route.fulfill({ status: 503, json: {} }));
  await page.reload();
  await page.getByTestId("kept").waitFor();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.unroute(tickets);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByTestId("kept").waitFor({ state: "detached" });
  await page.route(tickets, () => undefined);
  await page.reload();
  await page.getByTestId("kept").waitFor();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.close();
});

step("whoever signs out leaves no ticket on the device, at the portal or where they order", async () => {
  await fanPage.goto(`${demo.url}/portal`);
  await fanPage.locator("article").first().waitFor();
  await until("the tickets to be kept", async () => (await keptBy(fanPage)).some(isKey));
  assert.ok((await keptBy(fanPage)).every(({ readable }) => readable !== true), "no script reads a key back");
  await until("the page to be kept", () => pageKeptBy(fanPage), { page: fanPage });
  await fanPage.goto(`${demo.url}/order`);
  await fanPage.getByRole("button", { name: "Sign out" }).click();
  await until("the device to be empty", async () => (await keptBy(fanPage)).length === 0, { page: fanPage });
  await fanPage.context().setOffline(true);
  await fanPage.goto(`${demo.url}/portal`);
  await fanPage.getByRole("button", { name: "Try again" }).waitFor();
  assert.equal(await fanPage.locator("article").count(), 0, "no ticket is shown without a network");
  await fanPage.context().setOffline(false);

  await visitor.sit(fanPage, await signIn(demo.url, ZOE));
  await fanPage.goto(`${demo.url}/portal`);
  await fanPage.locator("article").first().waitFor();
  await until("the tickets to be kept again", async () => (await keptBy(fanPage)).length > 0, { page: fanPage });
  await fanPage.getByRole("button", { name: "Sign out" }).click();
  await until("the device to be empty again", async () => (await keptBy(fanPage)).length === 0, { page: fanPage });
});
