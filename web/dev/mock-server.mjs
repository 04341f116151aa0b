// Plays the documented API for looking at the pages: `npm run build && npm run mock`, then
// http://127.0.0.1:8080. It serves dist/ under the same content policy as the binary. It decides
// nothing, stores nothing and is no part of what is built.
//
// A pedestal's screen is chosen by its key: /pedestal#/key/pedestal:entry_lane:palm_enter

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import * as data from './mock-data.mjs';

const DIST = process.env.MOCK_DIST ?? join(import.meta.dirname, '../dist');
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'";
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

const PLAIN = process.env.MOCK_PLAIN === '1';
let signedIn = process.env.MOCK_WHO ?? 'fan';
let biometrics = {};
let palmPay = data.wallet.palm_pay;
let started = null;

const fan = { kind: 'fan', name: 'Ada Okafor' };
const staff = { kind: 'staff', name: 'Olive Park', role: 'operator', company_name: 'Rocky Mountain Tickets' };

function problem(status, slug, detail) {
  return { status, body: { type: `https://handfast.example/problems/${slug}`, title: slug, status, detail } };
}
const ok = (body) => ({ status: body === undefined ? 204 : 200, body });
const unknown = problem(404, 'not-found', 'There is nothing here.');

function device(key) {
  const [kind, mode] = key.split(':');
  if (!['pedestal', 'scanner', 'register'].includes(kind)) return problem(401, 'invalid-api-key', 'Unknown key.');
  const counter = mode === 'counter' || kind === 'register';
  return ok({
    name: `Mock ${kind}`,
    kind,
    mode: kind === 'pedestal' ? (mode ?? 'enrol_outside') : null,
    venue_name: 'Red Rocks Amphitheatre',
    gate_name: 'South gate',
    lane_name: counter ? null : 'Lane 2',
    shop_name: counter ? 'Trading Post Bar' : null,
  });
}

function currentCharge() {
  if (started === null) return null;
  const age = Date.now() - started.at;
  const state = started.cancelled ? 'cancelled' : age < 4_000 ? 'requested' : age < 5_000 ? 'authorising' : 'captured';
  return { ...started.charge, state, receipt_url: state === 'captured' ? '/receipt/r42' : null };
}

/** method + path pattern -> answer. `:x` matches one segment. */
const routes = [
  ['GET /session', () => (signedIn === 'fan' ? ok(fan) : signedIn === 'staff' ? ok(staff) : problem(401, 'unauthorized', 'Sign in.'))],
  ['POST /session', ({ body }) => ok(((signedIn = body.key === 'staff' ? 'staff' : 'fan'), signedIn === 'fan' ? fan : staff))],
  ['DELETE /session', () => ok(void (signedIn = 'none'))],
  ['POST /sign-in', () => ok({})],
  ['GET /me/tickets', () => ok(data.tickets)],
  ['GET /me/links', () => ok(data.links)],
  ['POST /me/links/:id/confirm', () => ok()],
  ['POST /me/links/:id/move', ({ body }) => (body.code === 'wrong' ? problem(404, 'not-found', 'No ticket has this code; check it and try again.') : ok())],
  ['PATCH /me/links/:id', () => ok({})],
  ['DELETE /me/links/:id', () => ok({ receipt: { receipt_id: 'dr-01J9', deleted_at: new Date().toISOString(), palms: 2, statement: 'Both templates and their keys were destroyed in the vault of Rocky Mountain Tickets.' } })],
  ['GET /link-decisions/:key', ({ path }) => (path[1] === 'old' ? problem(410, 'link-expired', 'Old.') : ok({ event_name: 'Night of the Long Echo', product: 'General admission', venue_name: 'Red Rocks Amphitheatre', created_at: new Date().toISOString(), state: path[1] === 'expired' ? 'expired' : 'pending' }))],
  ['POST /link-decisions/:key', () => ok()],
  ['GET /me/uses', () => ok(data.uses)],
  ['GET /me/wallet', () => ok(process.env.MOCK_EMPTY === '1' ? null : { ...data.wallet, palm_pay: palmPay })],
  ['POST /me/wallet/setup', () => ok({ url: '/test-gateway/setup/s1' })],
  ['POST /me/wallet/setup/:id/complete', () => ok(data.wallet)],
  ['DELETE /me/wallet/payment-methods/:id', () => ok({})],
  ['PUT /me/wallet/palm-pay', ({ body }) => ok(void (palmPay = body.on ? 'on' : 'off'))],
  ['GET /me/payments', () => ok(data.payments)],
  ['GET /test-gateway/setup/:id', ({ path }) => (path[2] === 'old' ? problem(410, 'gone', 'Over.') : ok(data.setup))],
  ['POST /test-gateway/setup/:id', () => ok({ return_url: '/portal#/wallet/s1' })],
  ['GET /console/events', () => ok(data.consoleEvents.map((event) => ({ ...event, biometrics: biometrics[event.event_id] ?? event.biometrics })))],
  ['PATCH /console/events/:id', ({ path, body }) => ok(void (biometrics[path[2]] = body.biometrics))],
  ['GET /console/events/:id/live', () => ok(data.live())],
  ['GET /console/events/:id/occupancy', () => ok(data.occupancy)],
  ['GET /console/events/:id/doubles', () => ok(data.doubles)],
  ['GET /console/events/:id/settlement', () => ok(data.settlement)],
  ['GET /console/events/:id/tickets', () => ok(data.found)],
  ['GET /console/events/:id/devices', () => ok(data.venueDevices)],
  ['GET /console/tickets/:id', () => ok(data.history)],
  ['POST /console/tickets/:id/force', () => ok(data.admissions.ok)],
  ['POST /console/admissions/:id/correct', () => ok({ done: false })],
  ['PATCH /console/tickets/:id', () => ok(data.history)],
  ['POST /admissions/annul', () => ok({})],
  ['GET /device', ({ key }) => device(key)],
  ['POST /admissions', ({ body }) => ok({ ...(data.admissions[body.code] ?? data.admissions.invalid) })],
  ['GET /charges', () => ok([currentCharge(), ...data.charges].filter((charge) => charge !== null))],
  ['POST /charges', ({ body }) => ok(((started = { at: Date.now(), charge: data.charge(43, 'requested', body.amount.minor, body.description) }), currentCharge()))],
  ['GET /charges/:id', () => ok(currentCharge())],
  ['POST /charges/:id/cancel', () => ok(((started.cancelled = true), currentCharge()))],
  ['POST /charges/:id/refund', () => ok({ ...data.charges[0], state: 'refunded' })],
  ['GET /receipts/:key', ({ path }) => (path[1] === 'none' ? unknown : ok(data.receipt(path[1])))],
  ['GET /demo', () => (PLAIN ? unknown : ok(data.demo))],
  ['POST /demo/stations/:id/key', ({ path }) => {
    const station = data.demo.stations.find((candidate) => candidate.station_id === path[2]);
    return ok({ api_key: station.mode === null ? station.kind : `${station.kind}:${station.mode}:walk` });
  }],
  ['GET /demo/mailbox', () => ok(data.mails)],
].map(([pattern, answer]) => {
  const [method, path] = pattern.split(' ');
  return { method, expression: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`), answer };
});

async function api(request, path) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const found = routes.find((route) => route.method === request.method && route.expression.test(path));
  if (found === undefined) return unknown;
  if (request.method !== 'GET' && request.headers['x-handfast'] !== '1') return problem(403, 'forbidden', 'Header.');
  return found.answer({
    path: path.slice(1).split('/'),
    body: text === '' ? {} : JSON.parse(text),
    key: (request.headers.authorization ?? '').replace('Bearer ', ''),
  });
}

async function page(path) {
  const first = path.split('/')[1] ?? '';
  const file = path.startsWith('/assets/') || extname(path) !== '' ? path : `/${first === '' ? 'index' : first}.html`;
  const full = normalize(join(DIST, file));
  if (!full.startsWith(DIST)) return null;
  return { type: TYPES[extname(full)] ?? 'application/octet-stream', body: await readFile(full) };
}

const server = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://mock').pathname;
  try {
    if (path.startsWith('/api/v1')) {
      const { status, body } = await api(request, path.slice('/api/v1'.length));
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(body === undefined ? undefined : JSON.stringify(body));
      return;
    }
    const found = await page(path);
    response.writeHead(200, { 'content-type': found.type, 'content-security-policy': POLICY });
    response.end(found.body);
  } catch (cause) {
    response.writeHead(404).end(String(cause.code ?? cause));
  }
});

// --- the pedestal's WebSocket: unmasked text and binary frames out, masked ones in -----------------

function frame(payload, opcode) {
  const length = payload.length;
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, 126, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([0x80 | opcode, 127, 0, 0, 0, 0]), Buffer.from([length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255])]);
  return Buffer.concat([head, payload]);
}

/** Takes whole frames off the front of `buffer`; returns the rest. */
function takeFrames(buffer, take) {
  for (;;) {
    if (buffer.length < 2) return buffer;
    const opcode = buffer[0] & 15;
    let length = buffer[1] & 127;
    let at = 2;
    if (length === 126) ((length = buffer.readUInt16BE(2)), (at = 4));
    else if (length === 127) ((length = Number(buffer.readBigUInt64BE(2))), (at = 10));
    if (buffer.length < at + 4 + length) return buffer;
    const mask = buffer.subarray(at, at + 4);
    const payload = Buffer.from(buffer.subarray(at + 4, at + 4 + length)).map((byte, i) => byte ^ mask[i & 3]);
    take(opcode, payload);
    buffer = buffer.subarray(at + 4 + length);
  }
}

/** The order in which `begin` and each answer leads on, for clicking through. */
const walks = {
  enrol_outside: ['welcome', 'show_ticket', 'consent', 'choose_hands', 'palm_enrol', 'working', 'linked'],
  enrol_inside: ['welcome', 'show_ticket', 'consent', 'choose_hands', 'palm_enrol', 'working', 'linked'],
  entry_lane: ['welcome', 'palm_enter', 'choose_count', 'admitted'],
  counter: ['waiting', 'palm_pay', 'paid'],
};
const TIMED = { palm_enrol: 3_000, palm_enter: 3_000, palm_pay: 3_000, working: 1_200, waiting: 3_000, admitted: 4_000, paid: 4_000 };

const preview = await readFile(join(import.meta.dirname, 'preview.jpg')).catch(() => null);

server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let language = 'en';
  let mode = 'enrol_outside';
  let fixed = 'walk';
  let step = 0;
  let timer;
  let frames = 0;
  let simulated = true;
  const send = (message) => socket.write(frame(Buffer.from(JSON.stringify(message)), 1));
  const show = () => {
    clearTimeout(timer);
    const walk = walks[mode] ?? walks.enrol_outside;
    const name = fixed === 'walk' ? walk[step % walk.length] : fixed;
    send({ ...data.view(name, language), mode, simulated });
    if (simulated && preview !== null && /palm|ticket/.test(name)) socket.write(frame(preview, 2));
    if (fixed === 'walk' && TIMED[name]) timer = setTimeout(() => ((step += 1), show()), TIMED[name]);
  };
  const receive = (message) => {
    if (message.type === 'hello') {
      [, mode = 'enrol_outside', fixed = 'walk'] = message.api_key.split(':');
      language = message.language;
    } else if (message.type === 'language') language = message.language;
    else if (message.type === 'cancel' || message.type === 'decline') step = 0;
    else if (message.type === 'source') simulated = message.kind === 'simulated';
    else step += 1;
    show();
  };
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = takeFrames(Buffer.concat([rest, chunk]), (opcode, payload) => {
      if (opcode === 1) receive(JSON.parse(payload.toString()));
      else if (opcode === 2 && (frames += 1) % 15 === 0) console.log(`${frames} camera frames, the last of ${payload.length} bytes`);
      else if (opcode === 8) socket.end();
    });
  });
  socket.on('error', () => undefined);
  socket.on('close', () => clearTimeout(timer));
});

const port = Number(process.env.MOCK_PORT ?? 8080);
server.listen(port, '127.0.0.1', () => console.log(`mock on http://127.0.0.1:${port}`));
