// A pedestal's page without a page: its WebSocket, for what no browser would send.
import WebSocket from "ws";
import { api, until } from "./harness.mjs";

/** Connects as the page of a demo station would; `key` replaces the station's own, null sends no hello. */
export async function connect(base, station, { key, language = "en" } = {}) {
  const own = (await api(base, `/demo/stations/${station}/key`, { method: "POST" })).api_key;
  const pedestal = new Pedestal(base);
  await pedestal.opened;
  if (key !== null) pedestal.send({ type: "hello", api_key: key ?? own, language });
  return pedestal;
}

export class Pedestal {
  views = [];
  problems = [];
  closed = false;

  constructor(base) {
    this.socket = new WebSocket(`${base.replace("http", "ws")}/api/v1/pedestal`);
    this.socket.binaryType = "arraybuffer";
    this.opened = new Promise((done, failed) => {
      this.socket.addEventListener("open", done, { once: true });
      this.socket.addEventListener("error", failed, { once: true });
    });
    this.socket.addEventListener("close", () => (this.closed = true));
    this.socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return;
      const message = JSON.parse(data);
      if (message.type === "problem") this.problems.push(message);
      else if (this.views.at(-1)?.screen !== message.view.screen) this.views.push(message.view);
      else this.views[this.views.length - 1] = message.view;
    });
  }

  get screen() {
    return this.views.at(-1)?.screen;
  }

  send(message) {
    this.socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** Waits until this screen is there, and gives its view. */
  on(screen) {
    const what = () => `screen ${screen}; it is ${JSON.stringify(this.views.at(-1))} ${JSON.stringify(this.problems)}`;
    return until(`the pedestal's screen ${screen}`, () => this.screen === screen && this.views.at(-1))
      .catch((error) => { throw new Error(`${error.message}: ${what()}`); });
  }

  /** Waits for the next problem, and gives it. */
  async problem() {
    await until("a problem from the pedestal", () => this.problems.length > 0);
    return this.problems.shift();
  }

  /** Waits until the server has ended the connection. */
  ended() {
    return until("the end of the connection", () => this.closed);
  }

  close() {
    this.socket.close();
    return this.ended();
  }
}

/** Links a simulated fan's palm with a ticket, as a visitor of the booth outside. */
export async function enrol(base, { fan, code, scope = "event", hands = "one" }) {
  const booth = await connect(base, "outside");
  booth.send({ type: "source", kind: "simulated", fan, code });
  await booth.on("welcome");
  booth.send({ type: "begin" });
  await booth.on("consent");
  booth.send({ type: "accept", scope });
  await booth.on("choose_hands");
  booth.send({ type: "hands", choice: hands });
  const linked = await booth.on("linked");
  await booth.close();
  return linked;
}

/** The session cookie of whoever a mail link signs in. */
export async function signIn(base, email, realm = "fan") {
  // A link works once: one of an earlier mail is used up.
  const earlier = new Set((await api(base, "/demo/mailbox")).map(({ mail_id }) => mail_id));
  await api(base, "/sign-in", { method: "POST", body: { email, realm } });
  const key = await until(`a sign-in mail to ${email}`, async () => {
    const mails = await api(base, "/demo/mailbox");
    const mail = mails.find(({ mail_id, to, link }) => !earlier.has(mail_id) && to === email && link?.includes("/enter/"));
    return mail && decodeURIComponent(mail.link.split("/enter/")[1]);
  });
  const response = await fetch(`${base}/api/v1/session`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key }),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.headers.get("set-cookie").split(";")[0];
}
