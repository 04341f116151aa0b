import { chromium } from 'playwright-core';
const usd = (minor) => ({ minor, currency: 'USD' });
const now = new Date();
const at = (s) => new Date(now.getTime() + s * 1000).toISOString();
const charge = (n, state, extra = {}) => ({ charge_id: 'chg_' + n, number: n, state, amount: usd(1250 * n), description: 'Two lager', credit_used: null, created_at: at(-60 * n), expires_at: at(40), receipt_url: ['captured', 'refunded'].includes(state) ? '/receipt/K' : null, reason: null, asked: usd(1250 * n), tip: usd(0), cash: usd(0), tax: usd(0), discount: usd(0), discount_name: null, refunded: usd(0), disputed: usd(0), held: false, hold_until: null, tip_of: null, ...extra });
const qr = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29"><rect width="29" height="29" fill="#fff"/>' + Array.from({ length: 220 }, (_, i) => `<rect x="${4 + ((i * 7) % 21)}" y="${4 + ((i * 13) % 21)}" width="1" height="1"/>`).join('') + '</svg>';
const wallet = { balance_credit: usd(600), payment_methods: [{ id: 'a', label: 'visa ending in 4242', default: true }, { id: 'b', label: 'Test card: answers late', default: false }], palm_pay: 'on', shops: ['Foothill Kitchen'], frozen: process.env.FROZEN === '1', has_pin: true, pin_always: false, pin_misses: 0, limits: { charge: usd(10000), day: usd(30000), week: usd(80000) }, loyalty: [{ program: 'Foothill Friends', number: 'L-77' }], age: { years: 21, verified_by: 'Foothill Kitchen', until: at(86400 * 300) } };
const answers = {
  '/session': { kind: 'fan', name: 'Ana Torres' },
  '/device': { name: 'Register', kind: 'register', mode: null, venue_name: 'Red Rocks', gate_name: null, lane_name: null, shop_name: 'Foothill Kitchen' },
  '/charges': [charge(7, 'requested', { tip: usd(150), cash: usd(500) }), charge(6, 'captured', { refunded: usd(500) }), charge(5, 'captured', { tip: usd(100), discount: usd(125) }), charge(4, 'authorised', { held: true }), charge(3, 'refunded', { refunded: usd(3750) }), charge(2, 'declined', { reason: 'insufficient_funds' })],
  '/register/day': { shop_name: 'Foothill Kitchen', day: 20779, date: '2026-11-22', charges: 14, taken: usd(48250), by_credit: usd(3000), by_card: usd(45250), tips: usd(2250), discounts: usd(125), cash: usd(3500), tax: usd(3120), refunds: 1, given_back: usd(500), open: 1, closed_at: null },
  '/me/wallet': wallet, '/me/payments': [],
  '/me/wallet/statement': { balances: [usd(600)], lines: [{ transfer_id: 'x1', at: at(-100), purpose: 'charge_credit', subject: 'c', state: 'posted', amount: usd(-400) }, { transfer_id: 'x2', at: at(-4000), purpose: 'linking_credit', subject: 'w', state: 'posted', amount: usd(1000) }], next: null },
  '/me/charges/KEY': { shop_name: 'Foothill Kitchen', number: 7, amount: usd(12500), description: 'Dinner', state: 'requested', expires_at: at(50), receipt_url: null, reason: null },
  '/receipts/K': { shop_name: 'Foothill Kitchen', number: 6, amount: usd(2347), credit_used: usd(600), charged: usd(1747), at: at(-90), state: 'captured', refunded_at: at(-10), refunded: usd(500), tip: usd(200), cash: usd(0), tax: usd(197), discount: usd(130), discount_name: 'Friends of the house', lines: [{ name: 'Lager', quantity: 2, total: usd(1190), tax_ppm: 190000 }, { name: 'Pretzel', quantity: 1, total: usd(107), tax_ppm: 70000 }] },
};
const brief = { shop_name: 'Foothill Kitchen', number: 7, amount: usd(12500), pay_qr: qr };
const views = {
  palm: { screen: 'palm', purpose: 'pay', side: 'either', palm: 1, palms: 1, taken: 0, wanted: 3, charge: brief },
  pin: { screen: 'pin', charge: brief, tries_left: 4, wrong: true },
  phone: { screen: 'pin', charge: brief, tries_left: null, wrong: false },
  paying: { screen: 'paying', charge: brief },
  paid: { screen: 'paid', number: 7, amount: usd(12500), credit_used: usd(600), receipt_url: '/receipt/K', held: false, discount: usd(1250) },
  cancelled: { screen: 'turned_away', reason: 'charge_cancelled', way_on: 'nothing' },
};
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'] });
async function shot(name, url, size, lang = 'en', view = null, before = null) {
  const page = await browser.newPage({ viewport: { width: size[0], height: size[1] }, locale: lang });
  await page.addInitScript(`localStorage.setItem('handfast.language','${lang}');localStorage.setItem('handfast.register.key','K');localStorage.setItem('handfast.pedestal.key','K');localStorage.setItem('handfast-language','${lang}')`);
  page.on('pageerror', (e) => console.log(name, 'ERROR', e.message));
  await page.route('**/api/v1/**', (r) => {
    const p = new URL(r.request().url()).pathname.replace('/api/v1', '');
    let a = answers[p];
    if (p === '/device' && view) a = { ...answers['/device'], kind: 'pedestal', mode: 'counter' };
    return a === undefined ? r.fulfill({ status: 404, json: { type: 'x/not-found', status: 404, detail: p } }) : r.fulfill({ json: a });
  });
  if (view) await page.routeWebSocket(/\/api\/v1\/pedestal/, (ws) => { ws.onMessage(() => ws.send(JSON.stringify({ type: 'view', simulated: true, mode: 'counter', view: views[view], guidance: view === 'palm' ? { state: 'no_hand', hold: 0, hand: null } : null }))); });
  await page.goto('http://localhost:5199' + url);
  await page.waitForTimeout(1500); if (view) { await page.locator('main button.primary, button:has-text("Use this"), button:has-text("Diese nehmen")').first().click().catch(()=>{}); await page.waitForTimeout(900); }
  if (before) await before(page);
  await page.screenshot({ path: `/tmp/shots/${name}.png`, fullPage: !view });
  await page.close();
}
const K = [1080, 1920], P = [390, 844], D = [1440, 900];
const todo = (process.argv[2] ?? 'all').split(',');
const want = (n) => todo[0] === 'all' || todo.includes(n);
if (want('register')) await shot('register', '/register.html', D);
if (want('register-de')) await shot('register-de', '/register.html', P, 'de', null, async (p) => { await p.locator('summary').click(); });
if (want('refund')) await shot('refund', '/register.html', D, 'es', null, async (p) => { await p.locator('[data-testid=refund-6]').click(); await p.waitForTimeout(300); });
if (want('wallet')) await shot('wallet', '/portal.html#/wallet', D);
if (want('wallet-phone')) await shot('wallet-phone', '/portal.html#/wallet', P, 'de');
if (want('phone')) await shot('phone', '/portal.html#/pay/KEY', P, 'es');
if (want('receipt')) await shot('receipt', '/receipt/K', P, 'en');
for (const v of Object.keys(views)) if (want('k-' + v)) await shot('k-' + v, '/pedestal.html', K, v === 'pin' ? 'de' : 'en', v);
await browser.close();
