// Pictures of every page and screen against the mock: `npm run build && npm run shots [OUT] [FILTER]`.
// Fails on a console error, a page error or a breach of the content policy.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const OUT = process.argv[2] ?? join(import.meta.dirname, '../../target/web-shots');
const FILTER = new RegExp(process.argv[3] ?? '.');
const PORT = 8391;
const BASE = `http://127.0.0.1:${PORT}`;

const portrait = { width: 1080, height: 1920 };
const landscape = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };
const desk = { width: 1440, height: 900 };

const screens = ['welcome', 'forbidden', 'show_ticket', 'ticket_problem', 'consent', 'choose_hands', 'palm_enrol', 'palm_glare', 'palm_enter', 'palm_pay', 'working', 'linked', 'choose_count', 'choose_two', 'admitted', 'waiting', 'paid', 'not_recognised', 'try_again', 'already_linked', 'declined', 'payment_unknown'];
const modeOf = (name) => (/pay|paid|waiting/.test(name) ? 'counter' : /enter|count|two|admitted|not_recog/.test(name) ? 'entry_lane' : 'enrol_outside');

const simulated = JSON.stringify({ source: { kind: 'simulated', fan: 1, code: null } });

const pages = [
  ['lobby', '/'],
  ['mailbox', '/mailbox'],
  ['receipt', '/receipt/r42'],
  ['receipt-refunded', '/receipt/r17'],
  ['receipt-missing', '/receipt/none'],
  ['gateway', '/test-gateway/setup/s1'],
  ['portal-tickets', '/portal'],
  ['portal-palm', '/portal#/palm'],
  ['portal-delete', '/portal#/palm', async (page) => page.getByTestId('delete').first().click()],
  ['portal-deleted', '/portal#/palm', async (page) => {
    await page.getByTestId('delete').first().click();
    await page.locator('dialog[open] button[type=submit]').click();
    await page.getByTestId('deletion-receipt').waitFor();
  }],
  ['portal-move', '/portal#/palm', async (page) => page.locator('footer button').first().click()],
  ['portal-uses', '/portal#/uses'],
  ['portal-wallet', '/portal#/wallet'],
  ['portal-palmpay', '/portal#/wallet', async (page) => page.getByRole('switch').click()],
  ['portal-decision', '/portal#/links/ok'],
  ['console', '/console', null, 'staff'],
  ['console-forbid', '/console', async (page) => page.getByRole('switch').click(), 'staff'],
  ['console-ticket', '/console', async (page) => {
    await page.getByTestId('search').fill('okafor');
    await page.locator('form').filter({ has: page.getByTestId('search') }).locator('button').click();
    await page.getByTestId('found').locator('button').first().click();
    await page.getByTestId('uses').waitFor();
  }, 'staff'],
  ['console-correct', '/console', async (page) => {
    await page.getByTestId('search').fill('okafor');
    await page.locator('form').filter({ has: page.getByTestId('search') }).locator('button').click();
    await page.getByTestId('found').locator('button').first().click();
    await page.getByTestId('uses').locator('button').first().click();
    await page.getByTestId('reason').fill('Was not here');
  }, 'staff'],
  ['portal-decision-expired', '/portal#/links/expired'],
  ['signin', '/portal', null, 'none'],
  ['signin-sent', '/portal#/as/ada%40fans.example', async (page) => page.locator('form button').click(), 'none'],
  ['register', '/register#/key/register'],
  ['register-open', '/register#/key/register', async (page) => {
    for (const key of ['1', '8', '5', '0']) await page.locator('.keys').getByRole('button', { name: key, exact: true }).click();
    await page.getByTestId('description').fill('Two drinks');
    await page.getByTestId('start').click();
    await page.getByTestId('charge-state').waitFor();
  }],
  ['register-refund', '/register#/key/register', async (page) => page.getByTestId('refund-0038').click()],
  ['register-setup', '/register#/key/nothing'],
  ['scan', '/scan#/key/scanner'],
  ...['ok', 'already_redeemed', 'unpaid', 'invalid', 'choose_people', 'question', 'old_code', 'alone'].map((code) => [
    `scan-${code}`,
    '/scan#/key/scanner',
    async (page) => {
      await page.getByTestId('code').fill(code);
      await page.keyboard.press('Enter');
      await page.getByTestId('verdict').waitFor();
    },
  ]),
  ['scan-offline', '/scan#/key/scanner', async (page) => {
    await page.getByTestId('code').waitFor();
    await page.route('**/admissions', (route) => route.abort());
    await page.getByTestId('code').fill('RR7K-4M2Q-9XHD');
    await page.keyboard.press('Enter');
    await page.getByTestId('undecided').waitFor();
  }],
  ['pedestal-source', '/pedestal#/key/pedestal:enrol_outside:welcome', async (page) => page.evaluate(() => 0), 'fan', true],
];

const failures = [];

async function shoot(browser, { name, path, act, size, language, scheme, source }) {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, locale: language, timezoneId: 'America/Denver', reducedMotion: 'reduce', permissions: ['camera'] });
  await context.addInitScript(
    ([chosen, value]) => {
      if (chosen) sessionStorage.setItem('handfast.pedestal.source', value);
      addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    },
    [source !== true, simulated],
  );
  const page = await context.newPage();
  const label = `${name}-${size.width}-${language}-${scheme}`;
  page.on('console', (message) => {
    const expected = /status of 4\d\d|ERR_FAILED/.test(message.text());
    if (message.type() === 'error' && !expected) failures.push(`${label}: ${message.text()}`);
  });
  page.on('pageerror', (error) => failures.push(`${label}: ${error.message}`));
  try {
    await page.goto(BASE + path, { waitUntil: 'networkidle', timeout: 6_000 }).catch(() => undefined);
    if (act) await act(page);
    await page.waitForTimeout(250);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 1) failures.push(`${label}: wider than the screen by ${wide} px`);
    await page.screenshot({ path: join(OUT, `${label}.png`), fullPage: !path.startsWith('/pedestal') && !/dialog|scan-|delete$|move|forbid|refund|palmpay/.test(name) });
  } catch (cause) {
    failures.push(`${label}: ${cause.message}`);
  }
  await context.close();
}

function jobs() {
  const list = [];
  const add = (name, path, act, who, source, sizes) => {
    for (const [size, language, scheme] of sizes) list.push({ name, path, act, who: who ?? 'fan', source, size, language, scheme });
  };
  for (const [name, path, act, who, source] of pages) {
    const sizes = path.startsWith('/scan')
      ? [[phone, 'en', 'light'], [phone, 'de', 'dark'], [phone, 'es', 'light']]
      : path.startsWith('/pedestal')
        ? [[portrait, 'en', 'light'], [landscape, 'de', 'dark']]
        : [[desk, 'en', 'light'], [phone, 'de', 'light'], [desk, 'es', 'dark'], [phone, 'en', 'dark']];
    add(name, path, act, who, source, sizes);
  }
  for (const name of screens) {
    add(`pedestal-${name}`, `/pedestal#/key/pedestal:${modeOf(name)}:${name}`, null, 'fan', false, [
      [portrait, 'en', 'dark'],
      [landscape, 'de', 'light'],
      [landscape, 'es', 'dark'],
      [phone, 'en', 'light'],
    ]);
  }
  return list.filter((job) => FILTER.test(`${job.name}-${job.size.width}-${job.language}-${job.scheme}`));
}

async function serve(who) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'mock-server.mjs')], {
    env: { ...process.env, MOCK_PORT: String(PORT), MOCK_WHO: who },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}

await mkdir(OUT, { recursive: true });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
});
const all = jobs();
for (const who of ['fan', 'staff', 'none']) {
  const mine = all.filter((job) => job.who === who);
  if (mine.length === 0) continue;
  const server = await serve(who);
  for (const job of mine) await shoot(browser, job);
  server.kill();
}
await browser.close();
console.log(`${all.length} pictures in ${OUT}`);
if (failures.length > 0) {
  console.error(failures.join('\n'));
  process.exitCode = 1;
}
