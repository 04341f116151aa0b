// The server dies without a word, again and again, and is started on the same folder: what was
// acknowledged is there, once.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { api, startDemo, until } from "./harness.mjs";
import { connect, enrol, signIn } from "./pedestal.mjs";

const NIGHT_ONE = "Mountain Sounds, night one";
const AMOUNT = { minor: 450, currency: "USD" };

let demo;
let evening;

before(async () => {
  demo = await startDemo();
  evening = await api(demo.url, "/demo");
});
after(() => demo?.stop());

const fan = (name) => evening.fans.find((one) => one.name.startsWith(name));
const code = (name, which = 0) => fan(name).tickets.filter(({ event_name }) => event_name === NIGHT_ONE)[which].code;
const key = async (station) => (await api(demo.url, `/demo/stations/${station}/key`, { method: "POST" })).api_key;

/** Dies and comes back in the same folder. */
async function powerCut() {
  await demo.crash();
  demo = await startDemo({ folder: demo.folder });
}

async function scan(ticket, nonce) {
  return api(demo.url, "/admissions", { method: "POST", key: await key("scan"), body: { code: ticket, nonce } });
}

async function hover(index) {
  const lane = await connect(demo.url, "lane");
  lane.send({ type: "source", kind: "simulated", fan: index, code: null });
  await lane.on("welcome");
  lane.send({ type: "begin" });
  const outcome = await until("an outcome in the lane", () =>
    ["admitted", "choose_count", "turned_away"].includes(lane.screen) && lane.views.at(-1));
  await lane.close();
  return outcome;
}

test("an entry that was acknowledged is there after a power cut, and its repetition gets the same verdict", async () => {
  const ticket = code("David");
  assert.equal((await scan(ticket, "crash-scan-1")).outcome, "ok");
  await powerCut();
  const again = await scan(ticket, "crash-scan-1");
  assert.deepEqual([again.outcome, again.repeated], ["ok", true]);
  assert.equal((await scan(ticket, "crash-scan-2")).outcome, "already_redeemed");
});

test("a linked palm enters after a power cut, once", async () => {
  const { index } = fan("Chloe");
  await enrol(demo.url, { fan: index, code: code("Chloe") });
  await powerCut();
  const first = await hover(index);
  assert.equal(first.screen, "admitted", JSON.stringify(first));
  await powerCut();
  const second = await hover(index);
  assert.deepEqual([second.screen, second.reason], ["turned_away", "already_redeemed"]);
});

test("a requested charge outlives a power cut, and its repetition is the same charge", async () => {
  const register = await key("register");
  const body = { amount: AMOUNT, description: "Lemonade", nonce: "crash-charge-1" };
  const charge = await api(demo.url, "/charges", { method: "POST", key: register, body });
  await powerCut();
  const again = await api(demo.url, "/charges", { method: "POST", key: register, body });
  assert.equal(again.charge_id, charge.charge_id);
  assert.equal(again.number, charge.number);
  const all = await api(demo.url, "/charges", { key: register });
  assert.equal(all.filter(({ number }) => number === charge.number).length, 1);
});

test("a deleted palm stays deleted through a power cut", async () => {
  const { index, email } = fan("Chloe");
  const cookie = await signIn(demo.url, email);
  const [link] = await api(demo.url, "/me/links", { cookie });
  const { receipt } = await api(demo.url, `/me/links/${link.link_id}`, { method: "DELETE", cookie });
  assert.equal(receipt.palms, 1);
  await powerCut();
  const outcome = await hover(index);
  assert.deepEqual([outcome.screen, outcome.reason], ["turned_away", "not_recognised"]);
  assert.deepEqual(await api(demo.url, "/me/links", { cookie }), []);
});
