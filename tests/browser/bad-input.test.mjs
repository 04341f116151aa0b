// What nobody should send, over HTTP and over the pedestal's WebSocket: every refusal is a problem
// with a stable type and a sentence that says what to do, and nothing is lost or done twice.
import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import test, { after, before } from "node:test";
import { api, startDemo, until } from "./harness.mjs";
import { connect, enrol, signIn } from "./pedestal.mjs";

const PROBLEMS = "https://handfast.example/problems/";
const NIGHT_ONE = "Mountain Sounds, night one";
const HALF_MIB = 512 * 1024;

let demo;
let evening;
let keys;
let ana;
let ben;
let operator;
let steward;

before(async () => {
  demo = await startDemo();
  evening = await api(demo.url, "/demo");
  const key = async (station) => (await api(demo.url, `/demo/stations/${station}/key`, { method: "POST" })).api_key;
  keys = { lane: await key("lane"), scan: await key("scan"), register: await key("register") };
  ana = await signIn(demo.url, "ana@example.org");
  ben = await signIn(demo.url, "ben@example.org");
  operator = await signIn(demo.url, "olivia@example.org", "staff");
  steward = await signIn(demo.url, "toni@example.org", "staff");
});

after(() => demo?.stop());

const codeOf = (name, which = 0) =>
  evening.fans.find((fan) => fan.name.startsWith(name)).tickets.filter(({ event_name }) => event_name === NIGHT_ONE)[which].code;
let nonces = 0;
const nonce = () => `bad-input-${process.pid}-${(nonces += 1)}`;

/** One request as it is, and its answer as it comes. */
function send(path, { method = "GET", body, key, cookie, headers = {} } = {}) {
  return fetch(`${demo.url}/api/v1${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(cookie ? { cookie, "x-handfast": "1" } : {}),
      ...headers,
    },
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Fails unless the answer is this problem, told in full. */
async function isProblem(answer, status, slug, what) {
  const response = await answer;
  const text = await response.text();
  const told = `${what ?? response.url}: ${response.status} ${text.slice(0, 400)}`;
  assert.equal(response.status, status, told);
  assert.equal(response.headers.get("content-type"), "application/problem+json", told);
  const problem = JSON.parse(text);
  assert.equal(problem.type, PROBLEMS + slug, told);
  assert.equal(problem.status, status, told);
  assert.ok(problem.title.length > 3, told);
  // A sentence that says what to do: more than a word, with an end, and no inner words of ours.
  assert.match(problem.detail, /^\S.*\s.*[.!?]$/s, told);
  assert.doesNotMatch(problem.detail, /panicked|sqlx|SQLITE|src\/|axum|thread '/i, told);
  return problem;
}

test("who is nobody gets nowhere", async () => {
  for (const [method, path] of [
    ["GET", "/session"], ["GET", "/me/tickets"], ["GET", "/me/links"], ["GET", "/me/wallet"], ["GET", "/me/uses"],
    ["GET", "/me/payments"], ["GET", "/console/events"], ["GET", "/device"], ["GET", "/charges"],
  ]) {
    await isProblem(send(path, { method }), 401, "unauthenticated", path);
  }
  await isProblem(send("/me/tickets", { cookie: "handfast_session=made-up" }), 401, "unauthenticated");
  await isProblem(send("/charges", { key: "hfk_made_up" }), 401, "unauthenticated");
  await isProblem(send("/charges", { headers: { authorization: "Basic YTpi" } }), 401, "unauthenticated");
  await isProblem(send("/session", { method: "POST", body: { key: "made-up" } }), 410, "expired");
});

test("a role opens its own doors only", async () => {
  await isProblem(send("/me/tickets", { cookie: operator }), 403, "forbidden");
  await isProblem(send("/console/events", { cookie: ana }), 403, "forbidden");
  await isProblem(send("/console/events", { cookie: steward }), 403, "forbidden");
  await isProblem(send("/charges", { key: keys.scan }), 403, "forbidden");
  await isProblem(send("/charges", { key: keys.lane }), 403, "forbidden");
  await isProblem(send("/admissions", { method: "POST", key: keys.register, body: { code: "x", nonce: nonce() } }), 403, "forbidden");
  const [event] = await api(demo.url, "/console/events", { cookie: operator });
  const change = { method: "PATCH", body: { biometrics: "forbidden" } };
  await isProblem(send(`/console/events/${event.event_id}`, { ...change, cookie: steward }), 403, "forbidden");
  await isProblem(send(`/console/events/${event.event_id}`, { ...change, headers: { cookie: operator } }), 403, "forbidden", "without our own header");
  await isProblem(send("/me/wallet/setup", { method: "POST", headers: { cookie: ana } }), 403, "forbidden", "without our own header");
});

test("what does not fit is refused before anything happens", async () => {
  const scan = (body, more) => send("/admissions", { method: "POST", key: keys.scan, body, ...more });
  await isProblem(scan("{"), 400, "malformed");
  await isProblem(scan("[]"), 400, "malformed");
  await isProblem(scan({ code: 7, nonce: nonce() }), 400, "malformed");
  await isProblem(scan({ code: codeOf("Ben") }), 400, "malformed", "no nonce");
  await isProblem(scan({ code: codeOf("Ben"), nonce: "" }), 400, "malformed", "an empty nonce");
  await isProblem(scan({ code: codeOf("Ben"), nonce: "n".repeat(5000) }), 400, "malformed", "a long nonce");
  await isProblem(scan({ code: "x".repeat(70_000), nonce: nonce() }), 413, "too-large");
  await isProblem(scan("code=1", { headers: { "content-type": "application/x-www-form-urlencoded" } }), 415, "media-type");
  await isProblem(scan("\u0000\u0001", {}), 400, "malformed");
  await isProblem(send("/sign-in", { method: "POST", body: { email: "nobody", realm: "fan" } }), 400, "malformed");
  await isProblem(send("/sign-in", { method: "POST", body: { email: "a@example.org", realm: "king" } }), 400, "malformed");
  const strange = await api(demo.url, "/admissions", { method: "POST", key: keys.scan, body: { code: "💥'; DROP TABLE tickets; --", nonce: nonce() } });
  assert.equal(strange.outcome, "invalid");
});

test("there is no such route, and none by another method", async () => {
  await isProblem(send("/nothing/here"), 404, "not-found");
  await isProblem(send("/me/tickets/../../../etc/passwd"), 404, "not-found");
  await isProblem(send("/nothing", { method: "DELETE" }), 404, "not-found");
  await isProblem(fetch(`${demo.url}/no-such-page`), 404, "not-found");
  await isProblem(fetch(`${demo.url}/assets/%2e%2e/%2e%2e/Cargo.toml`), 404, "not-found");
  await isProblem(send("/admissions", { key: keys.scan }), 405, "method-not-allowed");
  await isProblem(send("/demo", { method: "PUT", body: {} }), 405, "method-not-allowed");
});

test("amounts that are none are refused, and nothing is asked for", async () => {
  const before = await api(demo.url, "/charges", { key: keys.register });
  const charge = (amount) => send("/charges", { method: "POST", key: keys.register, body: { amount, description: "soup", nonce: nonce() } });
  const usd = (minor) => ({ minor, currency: "USD" });
  for (const amount of [usd(0), usd(-1250), usd(100_000_001), usd(9e15), usd(12.5), usd("1250"), usd(null),
    { minor: 1250, currency: "XXX" }, { minor: 1250, currency: "EUR" }, { minor: 1250 }, 1250, null]) {
    await isProblem(charge(amount), 400, "malformed", JSON.stringify(amount));
  }
  await isProblem(send("/charges", { method: "POST", key: keys.register, body: { amount: usd(100), description: "x".repeat(500), nonce: nonce() } }), 400, "malformed", "a long description");
  await isProblem(send("/charges", { method: "POST", key: keys.register, body: { amount: usd(100), description: "4111 1111 1111 1111", nonce: nonce() } }), 400, "malformed", "a card's number");
  await isProblem(send("/charges", { method: "POST", key: keys.register, body: { amount: usd(100), nonce: "short" } }), 400, "malformed", "a short nonce");
  assert.deepEqual(await api(demo.url, "/charges", { key: keys.register }), before);
});

test("a double tap is decided once", async () => {
  const once = { method: "POST", key: keys.scan, body: { code: codeOf("Ben", 0), nonce: nonce() } };
  const both = await Promise.all([api(demo.url, "/admissions", once), api(demo.url, "/admissions", once)]);
  assert.deepEqual(both.map(({ outcome }) => outcome), ["ok", "ok"]);
  assert.equal(both.filter(({ repeated }) => repeated).length, 1, "one of them is the other's answer again");
  const later = await api(demo.url, "/admissions", { ...once, body: { ...once.body, nonce: nonce() } });
  assert.equal(later.outcome, "already_redeemed");
  await isProblem(send("/admissions", { ...once, body: { ...once.body, code: codeOf("Ben", 1) } }), 409, "conflict", "the same nonce for another code");
  const tickets = await api(demo.url, "/me/tickets", { cookie: ben });
  assert.equal(tickets.filter(({ entered }) => entered !== null).length, 1);
});

test("a charge is asked for once, and taken back once", async () => {
  const once = { method: "POST", key: keys.register, body: { amount: { minor: 700, currency: "USD" }, description: "", nonce: nonce() } };
  const both = await Promise.all([api(demo.url, "/charges", once), api(demo.url, "/charges", once)]);
  assert.equal(both[0].charge_id, both[1].charge_id);
  await isProblem(send("/charges", { ...once, body: { ...once.body, amount: { minor: 900, currency: "USD" } } }), 409, "conflict", "the same nonce for another amount");
  await isProblem(send(`/charges/${both[0].charge_id}/refund`, { method: "POST", key: keys.register, body: { nonce: nonce() } }), 409, "conflict", "a refund before any payment");
  const cancel = { method: "POST", key: keys.register, body: {} };
  assert.equal((await api(demo.url, `/charges/${both[0].charge_id}/cancel`, cancel)).state, "cancelled");
  assert.equal((await api(demo.url, `/charges/${both[0].charge_id}/cancel`, cancel)).state, "cancelled");
  await isProblem(send("/charges/chg_01m80s879gw6aqjb81bjyfc114", { key: keys.register }), 404, "not-found");
  await isProblem(send("/charges/made-up", { key: keys.register }), 400, "malformed");
  await isProblem(send("/receipts/made-up"), 404, "not-found");
  await isProblem(send("/link-decisions/made-up"), 410, "expired");
  await isProblem(send("/test-gateway/setup/made-up"), 409, "conflict");
});

test("what is one person's is nobody else's", async () => {
  await enrol(demo.url, { fan: 1, code: codeOf("Ana") });
  const [link] = await api(demo.url, "/me/links", { cookie: ana });
  assert.deepEqual(await api(demo.url, "/me/links", { cookie: ben }), []);
  await isProblem(send(`/me/links/${link.link_id}/confirm`, { method: "POST", cookie: ben }), 404, "not-found");
  await isProblem(send(`/me/links/${link.link_id}`, { method: "PATCH", cookie: ben, body: { scope: "company" } }), 404, "not-found");
  await isProblem(send(`/me/links/${link.link_id}/move`, { method: "POST", cookie: ben, body: { code: codeOf("Ben", 2) } }), 404, "not-found");
  await isProblem(send(`/me/links/${link.link_id}`, { method: "DELETE", cookie: ben }), 404, "not-found");
  await isProblem(send(`/me/links/${link.link_id}/move`, { method: "POST", cookie: ana, body: { code: "made-up" } }), 404, "not-found");
  const setup = await api(demo.url, "/me/wallet/setup", { method: "POST", cookie: ana });
  const session = setup.url.split("/").at(-1);
  await isProblem(send(`/test-gateway/setup/${session}`, { method: "POST", body: { instrument_id: "gold" } }), 400, "malformed");
  const chosen = await api(demo.url, `/test-gateway/setup/${session}`, { method: "POST", body: { instrument_id: "always_approves" } });
  const id = chosen.return_url.split("/").at(-1);
  await isProblem(send(`/me/wallet/setup/${id}/complete`, { method: "POST", cookie: ben }), 404, "not-found");
  const wallet = await api(demo.url, `/me/wallet/setup/${id}/complete`, { method: "POST", cookie: ana });
  const again = await api(demo.url, `/me/wallet/setup/${id}/complete`, { method: "POST", cookie: ana });
  assert.deepEqual(again, wallet, "completing twice brings one payment method and one credit");
  assert.equal(await api(demo.url, "/me/wallet", { cookie: ben }), null);
  await isProblem(send(`/me/wallet/payment-methods/${wallet.payment_methods[0].id}`, { method: "DELETE", cookie: ben }), 404, "not-found");
  const [mine] = await api(demo.url, "/me/links", { cookie: ana });
  assert.equal(mine.state, "pending", "nothing of it was changed by somebody else");
  assert.equal(mine.consent.scope, "event");
});

test("a session that was left is over, and a mail's key works once", async () => {
  const cookie = await signIn(demo.url, "farid@example.org");
  await api(demo.url, "/session", { cookie });
  await api(demo.url, "/session", { method: "DELETE", cookie });
  await isProblem(send("/session", { cookie }), 401, "unauthenticated");
  const mails = await api(demo.url, "/demo/mailbox");
  const used = mails.find(({ to }) => to === "farid@example.org").link.split("/enter/")[1];
  await isProblem(send("/session", { method: "POST", body: { key: decodeURIComponent(used) } }), 410, "expired");
});

test("a pedestal's connection begins with a hello that is one", async () => {
  for (const [first, slug] of [
    [{ type: "begin" }, "malformed"],
    ["nonsense", "malformed"],
    [new Uint8Array([1, 2, 3]), "malformed"],
    [{ type: "hello", api_key: "made-up", language: "en" }, "unauthenticated"],
    [{ type: "hello", api_key: keys.scan, language: "en" }, "forbidden"],
    [{ type: "hello", api_key: keys.lane, language: "tlh" }, "malformed"],
  ]) {
    const pedestal = await connect(demo.url, "lane", { key: null });
    pedestal.send(first);
    const problem = await pedestal.problem();
    assert.equal(problem.slug, slug, JSON.stringify(first));
    assert.match(problem.detail, /\s.*\.$/);
    await pedestal.ended();
    assert.deepEqual(pedestal.views, [], "nothing is shown to it");
  }
});

test("garbage ends a connection with a word, and its station goes on for the next", async () => {
  for (const bad of ["{", '{"type":"later"}', '{"type":"accept","scope":"universe"}', '{"type":"count","count":-1}', "[]", '{"type":"source","kind":"simulated","fan":-1,"code":null}']) {
    const pedestal = await connect(demo.url, "lane");
    await pedestal.on("welcome");
    pedestal.send(bad);
    assert.equal((await pedestal.problem()).slug, "malformed", bad);
    await pedestal.ended();
  }
  const big = await connect(demo.url, "lane");
  await big.on("welcome");
  big.send(new Uint8Array(HALF_MIB + 1));
  assert.equal((await big.problem()).slug, "too-large", "a frame that is too large is told of");
  big.send(new Uint8Array(4 * HALF_MIB + 1));
  await big.ended();
  const next = await connect(demo.url, "lane");
  await next.on("welcome");
  await next.close();
});

/** A PNG of this size, whose picture data are left out. */
function pngHeader(width, height) {
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.alloc(64))), chunk("IEND", Buffer.alloc(0))]);
}

function crc(bytes) {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

test("frames that are no pictures are told of, and the visit goes on", async () => {
  const booth = await connect(demo.url, "outside");
  await booth.on("welcome");
  booth.send({ type: "source", kind: "camera" });
  booth.send({ type: "begin" });
  await booth.on("show_ticket");
  for (const [what, bytes] of [
    ["no picture", new Uint8Array([1, 2, 3, 4])],
    ["nothing", new Uint8Array(0)],
    ["half a JPEG", new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46])],
    ["20,000 x 20,000 pixels", new Uint8Array(pngHeader(20_000, 20_000))],
    ["no pixels at all", new Uint8Array(pngHeader(0, 0))],
    ["half a MiB of noise", new Uint8Array(HALF_MIB).map((_, index) => (index * 2654435761) >>> 24)],
  ]) {
    booth.send(bytes);
    const problem = await booth.problem();
    assert.equal(problem.slug, "malformed", what);
    assert.match(problem.detail, /\s.*\.$/, what);
  }
  assert.equal(booth.screen, "show_ticket");
  booth.send({ type: "ticket_code", code: codeOf("Chloe") });
  await booth.on("consent");
  await booth.close();
});

test("what does not belong to the screen changes nothing", async () => {
  const booth = await connect(demo.url, "outside");
  await booth.on("welcome");
  for (const message of [{ type: "accept", scope: "company" }, { type: "hands", choice: "both" }, { type: "count", count: 4 }, { type: "decline" }]) booth.send(message);
  booth.send({ type: "begin" });
  await booth.on("show_ticket");
  assert.ok(!booth.views.some(({ screen }) => ["consent", "choose_hands", "palm"].includes(screen)));
  booth.send({ type: "ticket_code", code: "x".repeat(600) });
  await until("the unknown code's words", () => booth.views.at(-1).problem === "unknown_code");
  await booth.close();
});

test("a connection lost in the middle of a capture leaves nothing half done", async () => {
  const code = codeOf("David");
  const booth = await connect(demo.url, "outside");
  booth.send({ type: "source", kind: "simulated", fan: 4, code });
  await booth.on("welcome");
  booth.send({ type: "begin" });
  await booth.on("consent");
  booth.send({ type: "accept", scope: "event" });
  await booth.on("choose_hands");
  booth.send({ type: "hands", choice: "both" });
  await until("the first picture taken of a palm", () => booth.screen === "palm" && booth.views.at(-1).taken > 0);
  booth.socket.terminate();
  const david = await signIn(demo.url, "david@example.org");
  assert.deepEqual(await api(demo.url, "/me/links", { cookie: david }), []);
  const again = await connect(demo.url, "outside");
  assert.equal((await again.on("welcome")).screen, "welcome", "the next visitor finds a fresh booth");
  await again.close();
  const linked = await enrol(demo.url, { fan: 4, code, hands: "both" });
  assert.equal(linked.palms, 2, "nothing of the first try stands in the way");
});

test("a palm that was identified and left alone admits nobody", async () => {
  await enrol(demo.url, { fan: 2, code: codeOf("Ben", 3) });
  const [link] = await api(demo.url, "/me/links", { cookie: ben });
  await api(demo.url, `/me/links/${link.link_id}/confirm`, { method: "POST", cookie: ben });
  const inside = async () => (await api(demo.url, "/me/tickets", { cookie: ben })).filter(({ entered }) => entered).length;
  const before = await inside();
  const lane = await connect(demo.url, "lane");
  lane.send({ type: "source", kind: "simulated", fan: 2, code: null });
  await lane.on("welcome");
  lane.send({ type: "begin" });
  const asked = await lane.on("choose_count");
  assert.equal(asked.available, 4 - before);
  lane.send({ type: "count", count: 99 });
  lane.socket.terminate();
  const next = await connect(demo.url, "lane");
  await next.on("welcome");
  next.send({ type: "count", count: 2 });
  await next.close();
  assert.equal(await inside(), before);
});

test("a pedestal that is revoked while it is connected is told, and serves nobody any more", async () => {
  const inside = await connect(demo.url, "inside");
  await inside.on("welcome");
  const events = await api(demo.url, "/console/events", { cookie: operator });
  const { device_id } = await until("the connected pedestal among the devices", async () => {
    for (const { event_id } of events) {
      const devices = await api(demo.url, `/console/events/${event_id}/devices`, { cookie: operator });
      const found = devices.find(({ kind, name, revoked }) => kind === "pedestal" && /inside/i.test(name) && !revoked);
      if (found) return found;
    }
    return null;
  });
  await api(demo.url, `/console/devices/${device_id}`, { method: "DELETE", cookie: operator });
  inside.send({ type: "begin" });
  assert.equal((await inside.problem()).slug, "unauthenticated");
  await inside.ended();
  assert.ok(!inside.views.some(({ screen }) => ["consent", "palm"].includes(screen)));
});

test("the server lived through all of it", async () => {
  await api(demo.url, "/demo");
  assert.doesNotMatch(demo.log(), /panicked/);
  assert.doesNotMatch(demo.log(), /HF1\.|hfk_/, "no code and no key is in the log");
});
