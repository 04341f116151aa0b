// What visitors of the demo do in every walk: open a station, stand before a pedestal, read a mail, sign in.
import { api, openPage, Screens, until } from "./harness.mjs";
import { signIn } from "./pedestal.mjs";

/** Somebody whose hand nobody has linked. */
export const STRANGER = "a stranger";
export const NIGHT_ONE = "Mountain Sounds, night one";

/** Shows a code to the agent's scanner, and gives the verdict that is on the screen. */
export async function scan(page, code) {
  await page.getByTestId("code").fill(code);
  await page.keyboard.press("Enter");
  const verdict = page.getByTestId("verdict");
  await verdict.waitFor();
  return { outcome: await verdict.getAttribute("data-outcome"), text: await verdict.innerText() };
}

/** What a page asks as the signed-in person. */
export function asked(page, path, method = "GET", body = undefined) {
  return page.evaluate(async ([path, method, body]) => {
    const headers = { "X-Handfast": "1", "Content-Type": "application/json" };
    const answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  }, [path, method, body]);
}

export class Visitor {
  constructor(base, browser, evening) {
    Object.assign(this, { base, browser, evening });
  }

  fan(name) {
    return this.evening.fans.find((candidate) => candidate.name.startsWith(name));
  }

  codeOf(name, event, which = 0) {
    return this.fan(name).tickets.filter(({ event_name }) => event_name === event)[which].code;
  }

  /** Opens a station by its button in the lobby. */
  async openStation(name, options) {
    const lobby = await openPage(this.browser, options);
    await lobby.goto(`${this.base}/`);
    const [page] = await Promise.all([
      lobby.waitForEvent("popup"),
      lobby.getByRole("button", { name }).click(),
    ]);
    // The lobby fetches the station's key and then moves the new tab on.
    await page.waitForURL((url) => url.pathname !== "blank" && url.protocol.startsWith("http"));
    await lobby.close();
    return page;
  }

  /** A pedestal with a simulated person in front of it, who holds this ticket's code or none. */
  async pedestal(name, person, { ticket, size = "kiosk", language } = {}) {
    const page = await this.openStation(name, { size, language });
    await this.choosePerson(page, person, ticket);
    return { page, screens: await new Screens(page).fromNow() };
  }

  async choosePerson(page, person, ticket) {
    const index = person === STRANGER ? 0 : this.fan(person).index;
    await page.getByTestId("fan").selectOption(String(index));
    if (ticket !== undefined) await page.getByTestId("ticket").selectOption(ticket);
    await page.getByTestId("use-simulated").click();
  }

  /** The newest mail to somebody on something, on the mailbox's page. */
  async mail(page, to, subject) {
    await page.goto(`${this.base}/mailbox`);
    await page.getByLabel("Show mail to").selectOption(to);
    const found = page.getByTestId("mail").filter({ hasText: subject }).first();
    await found.waitFor();
    return found;
  }

  async openMail(page, to, subject) {
    await (await this.mail(page, to, subject)).getByTestId("mail-link").click();
  }

  /** The newest link to somebody, without a page. */
  async mailLink(to, subject = "") {
    const mail = await until(`a mail to ${to}`, async () =>
      (await api(this.base, "/demo/mailbox")).find((one) => one.to === to && one.subject.includes(subject)));
    return mail.link;
  }

  /** Signs in by mail link, through the pages, and gives the signed-in page. */
  async signIn(realm, email, options) {
    const page = await openPage(this.browser, options);
    await page.goto(`${this.base}/${realm}`);
    await page.locator("input[type=email]").fill(email);
    await page.keyboard.press("Enter");
    await page.locator("a[href^='/mailbox']").click();
    await page.locator("[data-testid=mail-link][href*='/enter/']").first().click();
    return page;
  }

  /** A page at an address, whose visitor signs in now. */
  async signedIn(email, address, { realm = "fan", ...options } = {}) {
    return this.seated(await signIn(this.base, email, realm), address, options);
  }

  /** A page at an address, in a window that has a session already: mails to sign in are few. */
  async seated(cookie, address, options) {
    const page = await openPage(this.browser, options);
    await this.sit(page, cookie);
    await page.goto(`${this.base}${address}`);
    return page;
  }

  /** Gives a page's window a session. */
  async sit(page, cookie) {
    const [name, value] = cookie.split(/=(.*)/);
    await page.context().addCookies([{ name, value, url: this.base }]);
  }
}
