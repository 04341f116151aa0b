// Every page of the demo in the states that people meet, one after the other: for whoever looks at all
// of them (axe.test.mjs, and a person with `node tour.mjs`, which keeps pictures).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { api, openBrowser, openPage, screenshots, startDemo, until } from "./harness.mjs";
import { connect, enrol, signIn } from "./pedestal.mjs";

const NIGHT_ONE = "Mountain Sounds, night one";
const OPERATOR = "olivia@example.org";
const CLERK = "sam@example.org";

/** What an evening leaves behind, so that no page is empty: a palm, a wallet, a payment, an order, an entry. */
export async function prepare(base) {
  const evening = await api(base, "/demo");
  const fan = (name) => evening.fans.find((one) => one.name.startsWith(name));
  const code = (name) => fan(name).tickets.find(({ event_name }) => event_name === NIGHT_ONE).code;
  const ana = fan("Ana");
  await enrol(base, { fan: ana.index, code: code("Ana"), scope: "company" });
  const cookie = await signIn(base, ana.email);
  const [link] = await api(base, "/me/links", { cookie });
  const keys = { decision: await mailed(base, ana.email, /\/portal#(\/links\/\S+)/) };
  await api(base, `/me/links/${link.link_id}/confirm`, { method: "POST", cookie });
  await fillWallet(base, cookie);
  const receipt = await payByPalm(base, ana);
  await api(base, "/me/wallet/limits", { method: "PUT", cookie, body: { currency: "USD", charge_minor: 2_000, day_minor: 20_000, week_minor: 50_000 } });
  keys.alarm = await mailed(base, ana.email, /\/portal#(\/not-me\/\S+)/);
  const scanner = await stationKey(base, "scan");
  await api(base, "/admissions", { method: "POST", key: scanner, body: { code: code("David"), nonce: "tour-david" } });
  const order = await holdOrder(base, cookie);
  // A ticket that a palm enters with is not handed on; Ben has several without.
  const giver = await signIn(base, fan("Ben").email);
  const [ticket] = await api(base, "/me/tickets", { cookie: giver });
  await api(base, `/me/tickets/${ticket.ticket_id}/offer`, { method: "POST", cookie: giver, body: { email: "taker@example.org" } });
  keys.offer = await mailed(base, "taker@example.org", /\/order#(\/take\/\S+)/);
  const empty = fan("Farid") ?? evening.fans.at(-1);
  return {
    base, evening, fan, code, keys, receipt, order, ticket,
    ana: cookie,
    giver,
    empty: await signIn(base, empty.email),
    operator: await signIn(base, OPERATOR, "staff"),
    clerk: await signIn(base, CLERK, "staff"),
  };
}

async function stationKey(base, station) {
  return (await api(base, `/demo/stations/${station}/key`, { method: "POST" })).api_key;
}

/** What a mail to somebody holds. */
function mailed(base, to, pattern) {
  return until(`a mail to ${to} with ${pattern}`, async () => {
    const mails = await api(base, "/demo/mailbox");
    return mails.filter((mail) => mail.to === to).map((mail) => pattern.exec(`${mail.body} ${mail.link}`)?.[1]).find(Boolean);
  });
}

async function fillWallet(base, cookie) {
  const { url } = await api(base, "/me/wallet/setup", { method: "POST", cookie });
  const setup = url.split("/").pop();
  const { instruments } = await api(base, `/test-gateway/setup/${setup}`, { cookie });
  const chosen = { instrument_id: instruments[0].id };
  const { return_url } = await api(base, `/test-gateway/setup/${setup}`, { method: "POST", cookie, body: chosen });
  const completed = return_url.split("/").pop();
  await api(base, `/me/wallet/setup/${completed}/complete`, { method: "POST", cookie });
  const { version } = await api(base, "/payment-consent/en");
  await api(base, "/me/wallet/palm-pay", { method: "PUT", cookie, body: { on: true, language: "en", text_version: version } });
}

/** A charge that Ana's palm pays; gives the address of its receipt. */
async function payByPalm(base, { index }) {
  const counter = await connect(base, "counter");
  counter.send({ type: "source", kind: "simulated", fan: index, code: null });
  await counter.on("waiting_for_charge");
  const amount = { minor: 1250, currency: "USD" };
  const key = await stationKey(base, "register");
  const { charge_id } = await charge(base, amount, "tour-charge", key);
  const paid = await until("the charge to be paid", async () => {
    const now = await api(base, `/charges/${charge_id}`, { key });
    return now.state === "captured" && now;
  });
  await counter.close();
  return paid.receipt_url;
}

/** What a register's clerk begins. */
async function charge(base, amount, nonce, key) {
  const body = { amount, description: "Two drinks", nonce, lines: [], tip_minor: 0, cash_minor: 0 };
  return api(base, "/charges", { method: "POST", key: key ?? (await stationKey(base, "register")), body });
}

async function holdOrder(base, cookie) {
  const events = await api(base, "/sales/events");
  const event = events.find(({ name }) => name === NIGHT_ONE) ?? events[0];
  const lines = [{ product: event.products[0].name, quantity: 1 }];
  return api(base, "/me/orders", { method: "POST", cookie, body: { event_id: event.event_id, lines, nonce: "tour-order" } });
}

const asleep = (page) => page.route("**/api/v1/**", (route) => route.abort());
const awake = (page) => page.unroute("**/api/v1/**");

/**
 * Every state: who looks (`as`), at which address, how big their screen is where only one makes sense,
 * what has to be there (`see`), and what was done before (`act`).
 */
export const states = [
  { name: "lobby", at: "/", see: "station" },
  { name: "mailbox", at: "/mailbox", see: "mail" },
  { name: "privacy", at: "/privacy" },
  { name: "transparency", at: "/transparency", see: "table" },
  { name: "receipt", at: (of) => of.receipt },
  { name: "receipt-missing", at: "/receipt/none" },
  { name: "gateway-over", at: "/test-gateway/setup/none" },
  { name: "order-events", at: "/order", see: "event" },
  { name: "order-join", at: "/order", see: "event", act: async (page) => {
    await page.getByTestId("event").filter({ hasText: NIGHT_ONE }).first().click();
    await page.getByTestId("product").first().getByRole("button").last().click();
    await page.getByTestId("join").waitFor();
  } },
  { name: "order-take", at: (of) => `/order#${of.keys.offer}`, see: "take" },
  { name: "order-take-gone", at: "/order#/take/none" },
  { name: "portal-sign-in", at: "/portal" },
  { name: "portal-mail-sent", at: "/portal", act: async (page) => {
    await page.locator("input[type=email]").fill("nobody@example.org");
    await page.keyboard.press("Enter");
    await page.locator("a[href^='/mailbox']").waitFor();
  } },
  { name: "portal-link-used", at: "/portal#/enter/none" },
  { name: "portal-decision", at: (of) => `/portal#${of.keys.decision}` },
  { name: "portal-not-me", at: (of) => `/portal#${of.keys.alarm}`, see: "freeze" },
  { name: "portal-silent", at: "/portal", before: asleep, after: awake },
  { name: "portal-tickets", as: "ana", at: "/portal" },
  { name: "portal-ticket-large", as: "ana", at: "/portal", act: (page) => page.locator("article button").first().click() },
  { name: "portal-palm", as: "ana", at: "/portal#/palm", see: "delete" },
  { name: "portal-delete", as: "ana", at: "/portal#/palm", see: "delete", act: (page) => page.getByTestId("delete").first().click() },
  { name: "portal-uses", as: "ana", at: "/portal#/uses" },
  { name: "portal-wallet", as: "ana", at: "/portal#/wallet", see: "credit" },
  { name: "portal-guardian", as: "giver", at: (of) => `/portal#/guardian/${of.ticket.ticket_id}`, see: "guardian-agree" },
  { name: "portal-tickets-few", as: "empty", at: "/portal" },
  { name: "portal-palm-none", as: "empty", at: "/portal#/palm" },
  { name: "portal-uses-none", as: "empty", at: "/portal#/uses" },
  { name: "portal-wallet-none", as: "empty", at: "/portal#/wallet", see: "add-method" },
  { name: "order-held", as: "ana", at: (of) => `/order#/orders/${of.order.order_id}`, see: "pay" },
  { name: "order-hand-on", as: "giver", at: (of) => `/order#/ticket/${of.ticket.ticket_id}`, see: "give-to" },
  { name: "console-sign-in", at: "/console" },
  { name: "console", as: "operator", at: "/console", see: "entered" },
  { name: "console-waits", as: "operator", at: "/console", before: (page) => page.route("**/live", atThePeak), see: "gate-waits", after: (page) => page.unroute("**/live"), act: (page) => page.getByTestId("gate-waits").locator("summary").click() },
  { name: "console-switch", as: "operator", at: "/console", see: "entered", act: (page) => page.getByRole("switch").first().click() },
  { name: "console-ticket", as: "operator", at: "/console", see: "entered", act: async (page) => {
    await page.getByTestId("search").fill("david");
    await page.keyboard.press("Enter");
    await page.getByTestId("found").first().click();
    await page.getByTestId("uses").waitFor();
  } },
  { name: "console-reports", as: "operator", at: "/console", see: "entered", act: (page) => page.getByTestId("event-reports").click() },
  { name: "console-event-set-up", as: "operator", at: "/console", see: "entered", act: async (page) => {
    await page.getByTestId("event-set-up").click();
    await page.getByTestId("product-name").waitFor();
  } },
  { name: "console-approvals", as: "operator", at: "/console#/approvals", see: "approval-ask" },
  { name: "console-approvals-asked", as: "operator", at: "/console#/approvals", see: "approval-ask", act: async (page) => {
    await page.getByTestId("approval-reason").fill("The artist asked for it");
    await page.getByTestId("approval-ask").click();
    await page.getByTestId("approval").first().waitFor();
  } },
  { name: "console-set-up", as: "operator", at: "/console#/setup" },
  { name: "console-money", as: "operator", at: "/console#/money", see: "shop-money" },
  { name: "console-books", as: "operator", at: "/console#/money", see: "shop-money", act: async (page) => {
    await page.getByTestId("books-compare").click();
    await page.getByTestId("books-result").waitFor();
  } },
  { name: "console-clerk", as: "clerk", at: "/console" },
  { name: "console-silent", as: "operator", at: "/console", before: asleep, after: awake },
  { name: "window-sell", as: "clerk", at: "/window", see: "product", act: (page) => page.getByTestId("product").first().getByRole("button").last().click() },
  { name: "window-find", as: "clerk", at: "/window#/find", see: "search", act: async (page) => {
    await page.getByTestId("search").fill("ana");
    await page.keyboard.press("Enter");
    await page.getByTestId("found").first().waitFor();
  } },
  { name: "window-order", as: "clerk", at: "/window#/find", see: "search", act: async (page) => {
    await page.getByTestId("search").fill("ben");
    await page.keyboard.press("Enter");
    await page.getByTestId("found").first().click();
    await page.getByRole("checkbox").first().check();
  } },
  { name: "window-guardian", as: "clerk", at: "/window#/find", see: "search", act: async (page) => {
    await page.getByTestId("search").fill("chloe");
    await page.keyboard.press("Enter");
    await page.getByTestId("found").first().click();
    await page.getByRole("checkbox").first().check();
    await page.getByTestId("guardian-here").click();
    await page.getByRole("dialog").waitFor();
  } },
  { name: "window-none", as: "ana", at: "/window" },
  { name: "scan-setup", at: "/scan#/key/none", only: "phone", see: "main form" },
  { name: "scan", at: "/scan#/demo/scan", only: "phone", see: "code" },
  { name: "scan-ok", at: "/scan#/demo/scan", only: "phone", see: "code", act: (page, of) => scan(page, of.code("Chloe")) },
  { name: "scan-take-back", at: "/scan#/demo/scan", only: "phone", see: "code", act: async (page, of) => {
    await scan(page, of.fan("Ben").tickets.findLast(({ event_name }) => event_name === NIGHT_ONE).code);
    await page.getByTestId("take-back").click();
    await page.getByTestId("taking-back").waitFor();
  }, after: async (page) => {
    await page.getByTestId("take-back-do").click();
    await page.getByTestId("taken-back").waitFor();
  } },
  { name: "scan-used", at: "/scan#/demo/scan", only: "phone", see: "code", act: (page, of) => scan(page, of.code("David")) },
  { name: "scan-unknown", at: "/scan#/demo/scan", only: "phone", see: "code", act: (page) => scan(page, "HF1.0000000000000000000000000000") },
  { name: "scan-silent", at: "/scan#/demo/scan", only: "phone", see: "code", after: awake, act: async (page) => {
    await asleep(page);
    await page.getByTestId("code").fill("HF1.0000000000000000000000000000");
    await page.keyboard.press("Enter");
    await page.getByTestId("undecided").waitFor();
  } },
  { name: "register", at: "/register#/demo/register", see: "start" },
  { name: "register-refund", at: "/register#/demo/register", see: "start", act: (page) => page.locator("[data-testid^=refund-]").first().click() },
  { name: "register-open", at: "/register#/demo/register", see: "start", act: async (page) => {
    await page.locator(".keys button").first().click();
    await page.locator(".keys button").nth(1).click();
    await page.getByTestId("start").click();
    await page.getByTestId("charge-state").waitFor();
  }, after: (page) => page.getByTestId("cancel").click() },
  { name: "pedestal-setup", at: "/pedestal#/key/none", kiosk: true, see: "main form" },
  { name: "pedestal-source", at: "/pedestal#/demo/outside", kiosk: true, see: "use-simulated" },
  { name: "pedestal-welcome", at: pedestal("outside", "Ben"), kiosk: true, see: "begin" },
  { name: "pedestal-inside", at: pedestal("inside", "Ben"), kiosk: true, see: "begin" },
  { name: "pedestal-lane", at: pedestal("lane", "Ben"), kiosk: true, see: "begin" },
  { name: "pedestal-show", at: pedestal("outside", "Ben", false), kiosk: true, see: "begin", act: async (page) => {
    await page.getByTestId("begin").click();
    await page.getByTestId("ticket-code").waitFor();
  }, after: stop },
  { name: "pedestal-consent", at: pedestal("outside", "Ben"), kiosk: true, see: "begin", act: begin("accept"), after: stop },
  { name: "pedestal-hands", at: pedestal("outside", "Ben"), kiosk: true, see: "begin", act: async (page) => {
    await begin("accept")(page);
    await page.getByTestId("accept").click();
    await page.getByTestId("hands-one").waitFor();
  }, after: stop },
  { name: "pedestal-younger", at: pedestal("outside", "Ben"), kiosk: true, see: "begin", act: async (page) => {
    await begin("younger")(page);
    await page.getByTestId("younger").click();
    await page.getByTestId("age-minor").waitFor();
  }, after: stop },
  { name: "pedestal-guardian", at: pedestal("outside", "Ben"), kiosk: true, see: "begin", act: async (page) => {
    await begin("younger")(page);
    await page.getByTestId("younger").click();
    await page.getByTestId("age-minor").click();
    await page.getByTestId("ok").waitFor();
  }, after: (page) => page.getByTestId("ok").click() },
  { name: "pedestal-declined", at: pedestal("outside", "Ben"), kiosk: true, see: "begin", act: async (page) => {
    await begin("decline")(page);
    await page.getByTestId("decline").click();
    await page.getByTestId("ok").waitFor();
  }, after: (page) => page.getByTestId("ok").click() },
  { name: "pedestal-stranger", at: pedestal("lane", null), kiosk: true, see: "begin", act: async (page) => {
    await page.getByTestId("begin").click();
    await page.getByTestId("ok").waitFor();
  }, after: (page) => page.getByTestId("ok").click() },
  { name: "pedestal-counter", at: pedestal("counter", "Ana"), kiosk: true, see: "body[data-screen]" },
  { name: "pedestal-pin", at: pedestal("counter", "Ana"), kiosk: true, see: "body[data-screen]", act: (page, of) => askPin(page, of, "tour-pin"), after: stopPaying },
  { name: "pedestal-pin-wrong", at: pedestal("counter", "Ana"), kiosk: true, see: "body[data-screen]", act: async (page, of) => {
    await askPin(page, of, "tour-pin-wrong");
    await page.keyboard.type("1470");
    await page.getByTestId("pin-enter").click();
    await page.getByTestId("pin-advice").filter({ hasText: /\d/ }).waitFor();
  }, after: stopPaying },
  { name: "pedestal-phone", at: pedestal("counter", "Ana"), kiosk: true, see: "body[data-screen]", act: async (page, of) => {
    await api(of.base, "/me/wallet/pin", { method: "DELETE", cookie: of.ana });
    await beginCharge(page, of, 2_500, "tour-phone");
    await page.locator("body[data-screen=pin]").waitFor();
  }, after: stopPaying },
  { name: "pedestal-paid", at: pedestal("counter", "Ana"), kiosk: true, see: "body[data-screen]", act: async (page, of) => {
    await beginCharge(page, of, 350, "tour-paid");
    await page.getByTestId("outcome").waitFor();
  } },
  { name: "pedestal-not-linked", at: pedestal("counter", "Ben"), kiosk: true, see: "body[data-screen]", act: async (page, of) => {
    await beginCharge(page, of, 350, "tour-not-linked");
    await page.getByTestId("ok").waitFor();
  }, after: async (page) => {
    await page.getByTestId("ok").click();
    await stopPaying(page);
  } },
  { name: "not-found", at: "/no-such-page" },
];

/** The live figures with gates as an arrival's peak has them, which no demo lasts long enough for. */
async function atThePeak(route) {
  const live = await (await route.fetch()).json();
  const gates = [["South gate", "at_most", 14, 312, 8], ["North gate", "hardly", null, 41, 2], ["Artists’ gate", "unknown", null, 0, 0]];
  live.gates = gates.map(([name, wait, wait_minutes_max, people, devices]) =>
    ({ gate_id: name, name, wait, wait_minutes_max, people, devices }));
  await route.fulfill({ json: live });
}

function pedestal(station, name, withTicket = true) {
  return (of) => {
    const who = name === null ? "0" : `${of.fan(name).index}${withTicket ? `/${encodeURIComponent(of.code(name))}` : ""}`;
    return `/pedestal#/demo/${station}/as/${who}`;
  };
}

function begin(screen) {
  return async (page) => {
    await page.getByTestId("begin").click();
    await page.getByTestId(screen).waitFor();
  };
}

async function stop(page) {
  const away = page.getByTestId("cancel").or(page.getByTestId("decline")).first();
  if (await away.isVisible()) await away.click();
}

async function beginCharge(page, of, minor, nonce) {
  await page.locator("body[data-screen=waiting_for_charge]").waitFor();
  await charge(of.base, { minor, currency: "USD" }, nonce);
}

async function askPin(page, of, nonce) {
  await api(of.base, "/me/wallet/pin", { method: "PUT", cookie: of.ana, body: { pin: "2580", always: false } });
  await beginCharge(page, of, 2_500, nonce);
  await page.getByTestId("pin-enter").waitFor();
}

/** Ends what stands on the counter, so that the next state begins with an empty one. */
async function stopPaying(page) {
  await page.getByTestId("cancel").click();
  await page.locator("body[data-screen=waiting_for_charge]").waitFor();
}

async function scan(page, code) {
  await page.getByTestId("code").fill(code);
  await page.keyboard.press("Enter");
  await page.getByTestId("verdict").waitFor();
}

/** Opens each state at a size and in a language, and has `look` look at it. */
export async function tour(browser, of, { size = "desk", language = "en-US", states: wanted = states }, look) {
  const pages = new Map();
  for (const state of wanted) {
    const wants = state.only ?? size;
    const seat = `${state.as ?? "anyone"} ${wants}`;
    if (!pages.has(seat)) pages.set(seat, await seatAt(browser, of, state.as, wants, language));
    await look(await show(pages.get(seat), of, state), state);
    await state.after?.(pages.get(seat), of);
  }
  for (const page of pages.values()) await page.context().close();
}

async function seatAt(browser, of, who, size, language) {
  const page = await openPage(browser, { size, language });
  if (who === undefined) return page;
  const [name, value] = of[who].split(/=(.*)/);
  await page.context().addCookies([{ name, value, url: of.base }]);
  return page;
}

async function show(page, of, state) {
  const at = typeof state.at === "string" ? state.at : state.at(of);
  // A blank page between two: an address that differs in its hash alone would load nothing anew.
  await page.goto("about:blank");
  await page.evaluate(() => sessionStorage.clear()).catch(() => undefined);
  await state.before?.(page, of);
  await page.goto(new URL(at, of.base).href);
  await page.locator("main").first().waitFor();
  if (state.see !== undefined) await page.locator(/^[a-z-]+$/.test(state.see) ? `[data-testid=${state.see}], ${state.see}` : state.see).first().waitFor();
  await state.act?.(page, of);
  await until("everything to be loaded", async () => (await page.locator(".loading").count()) === 0, { page });
  return page;
}

/** `node tour.mjs [SIZE [LANGUAGE [PATTERN]]]` keeps a picture of every state. */
async function pictures(size = "desk", language = "en-US", pattern = ".") {
  const folder = join(screenshots, "tour");
  mkdirSync(folder, { recursive: true });
  const demo = await startDemo();
  const browser = await openBrowser();
  try {
    const of = await prepare(demo.url);
    const wanted = states.filter(({ name }) => new RegExp(pattern).test(name));
    await tour(browser, of, { size, language, states: wanted }, async (page, { name, kiosk }) => {
      const path = join(folder, `${name}-${size}-${language.slice(0, 2)}.png`);
      await page.screenshot({ path, fullPage: !kiosk });
    });
  } finally {
    await browser.close();
    await demo.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await pictures(...process.argv.slice(2));
