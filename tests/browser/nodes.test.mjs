// One of the vault's nodes stops: palm lanes, booths and counters say so and send people to codes and
// cards, codes go on, and everything opens by itself when the node is back.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { api, keep, openBrowser, openPage, startDemo, until, walk } from "./harness.mjs";
import { connect, enrol } from "./pedestal.mjs";

const NIGHT_ONE = "Mountain Sounds, night one";

let demo;
let evening;
let browser;
let lobby;
const step = walk();

before(async () => {
  // The last one counts, whatever a run of all tests was started with.
  demo = await startDemo({ args: ["--vault", "split"] });
  evening = await api(demo.url, "/demo");
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

const fan = (name) => evening.fans.find((one) => one.name.startsWith(name));
const code = (name) => fan(name).tickets.find(({ event_name }) => event_name === NIGHT_ONE).code;
const key = async (station) => (await api(demo.url, `/demo/stations/${station}/key`, { method: "POST" })).api_key;
const vault = () => api(demo.url, "/vault");

/** A station's page, as the lobby opens it. */
async function station(id, { size, language } = {}) {
  const page = await openPage(browser, { size, language });
  const path = evening.stations.find(({ station_id }) => station_id === id).path;
  await page.goto(`${demo.url}${path}#/key/${await key(id)}`);
  return page;
}

async function hover(index) {
  const lane = await connect(demo.url, "lane");
  lane.send({ type: "source", kind: "simulated", fan: index, code: null });
  await until("an open lane", () => lane.screen === "welcome" && lane.views.at(-1).biometrics === "allowed");
  lane.send({ type: "begin" });
  const outcome = await until("an outcome in the lane", () =>
    ["admitted", "choose_count", "turned_away"].includes(lane.screen) && lane.views.at(-1));
  await lane.close();
  return outcome;
}

step("three nodes on one machine say that there is no split trust", async () => {
  const form = await vault();
  assert.deepEqual([form.form, form.ready, form.nodes.map(({ up }) => up)], ["three_nodes_here", true, [true, true, true]]);
  lobby = await openPage(browser);
  await lobby.goto(demo.url);
  await lobby.getByTestId("nodes").scrollIntoViewIfNeeded();
  assert.match(await lobby.getByTestId("vault-note").innerText(), /Three nodes on one machine: no split trust here/);
  assert.match(await lobby.getByTestId("nodes-effect").innerText(), /All three answer/);
  await keep(lobby, "lobby-three-nodes");
});

step("a palm is linked while all three answer", async () => {
  await enrol(demo.url, { fan: fan("Chloe").index, code: code("Chloe") });
});

step("a visitor stops a node, and every palm pedestal sends people on", async () => {
  const lane = await station("lane", { size: "kiosk" });
  const booth = await station("outside", { size: "phone", language: "es-ES" });
  const counter = await station("counter", { language: "de-DE" });
  await lobby.locator('[data-node="b"]').getByTestId("stop-node").click();
  await lobby.locator('[data-node="b"][data-up="false"]').waitFor();
  assert.match(await lobby.getByTestId("nodes-effect").innerText(), /Without node B no palm can be compared/);
  await keep(lobby, "lobby-without-a-node");
  for (const [page, name] of [[lane, "lane"], [booth, "booth"], [counter, "counter"]]) {
    const chosen = page.getByTestId("use-simulated");
    await chosen.waitFor();
    await chosen.click();
    await page.getByTestId("unavailable").waitFor();
    await keep(page, `${name}-without-a-node`);
  }
  assert.equal((await vault()).ready, false);
});

step("lane, booth and counter say it to whoever comes, and look at nothing", async () => {
  const lane = await connect(demo.url, "lane");
  lane.send({ type: "source", kind: "simulated", fan: fan("Chloe").index, code: null });
  await until("a closed lane", () => lane.screen === "welcome" && lane.views.at(-1).biometrics === "unavailable");
  lane.send({ type: "begin" });
  const booth = await connect(demo.url, "outside");
  booth.send({ type: "source", kind: "simulated", fan: fan("David").index, code: code("David") });
  await until("a closed booth", () => booth.screen === "welcome" && booth.views.at(-1).biometrics === "unavailable");
  booth.send({ type: "begin" });
  const away = await booth.on("turned_away");
  assert.deepEqual([away.reason, away.way_on], ["vault_unavailable", "qr_lane"]);
  const counter = await connect(demo.url, "counter");
  await until("a closed counter", () => counter.screen === "waiting_for_charge" && counter.views.at(-1).biometrics === "unavailable");
  assert.equal(lane.screen, "welcome", "nothing begins in a closed lane");
  for (const pedestal of [lane, booth, counter]) await pedestal.close();
});

step("codes go on", async () => {
  const body = { code: code("David"), nonce: "nodes-scan-1" };
  const scanned = await api(demo.url, "/admissions", { method: "POST", key: await key("scan"), body });
  assert.equal(scanned.outcome, "ok");
});

step("the node starts again, catches up, and a hover opens the gate", async () => {
  await lobby.locator('[data-node="b"]').getByTestId("start-node").click();
  await until("a vault that is ready", async () => (await vault()).ready);
  await until("the lobby to say so", async () => /All three answer/.test(await lobby.getByTestId("nodes-effect").innerText()));
  assert.equal((await hover(fan("Chloe").index)).screen, "admitted");
});

step("a node that nobody has, and a demo without nodes, are refused with a reason", async () => {
  const refused = (path) => api(demo.url, path, { method: "POST" }).catch((error) => error.status);
  assert.equal(await refused("/demo/nodes/d/stop"), 404);
  const plain = await startDemo({ args: ["--vault", "plain"] });
  try {
    const answer = await api(plain.url, "/demo/nodes/a/stop", { method: "POST" }).catch((error) => error);
    assert.equal(answer.status, 409);
    assert.equal((await api(plain.url, "/vault")).form, "in_clear");
  } finally {
    await plain.stop();
  }
});
