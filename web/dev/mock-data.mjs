// Plausible answers of the documented API, for looking at the pages without a server.

const now = Date.now();
const hours = (n) => new Date(now + n * 3_600_000).toISOString();
const minutes = (n) => new Date(now + n * 60_000).toISOString();
const usd = (minor) => ({ minor, currency: 'USD' });

/** Drawn modules that look like a QR code; nothing can be read from it. */
function fakeQr(seed) {
  let state = seed;
  const next = () => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const finder = (x, y) =>
    `<path d="M${x} ${y}h7v7h-7zM${x + 1} ${y + 1}v5h5v-5zM${x + 2} ${y + 2}h3v3h-3z" fill-rule="evenodd"/>`;
  let cells = '';
  for (let y = 0; y < 29; y += 1) {
    for (let x = 0; x < 29; x += 1) {
      const corner = (x < 8 && y < 8) || (x > 20 && y < 8) || (x < 8 && y > 20);
      if (!corner && next() > 0.52) cells += `M${x} ${y}h1v1h-1z`;
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 33 33" shape-rendering="crispEdges"><path fill="#fff" d="M-2-2h33v33H-2z"/><path d="${cells}"/>${finder(0, 0)}${finder(22, 0)}${finder(0, 22)}</svg>`;
}

const redRocks = {
  event_id: 'e1',
  name: 'Night of the Long Echo',
  venue_name: 'Red Rocks Amphitheatre',
  doors_at: hours(-1),
  starts_at: hours(1),
  ends_at: hours(4),
  biometrics: 'allowed',
};
const unplugged = {
  event_id: 'e2',
  name: 'Songs Without Wires',
  venue_name: 'Mission Ballroom',
  doors_at: hours(71),
  starts_at: hours(72),
  ends_at: hours(75),
  biometrics: 'forbidden',
};

export const tickets = [
  {
    ticket_id: 't1',
    code: 'RR7K-4M2Q-9XHD',
    qr_svg: fakeQr(7),
    product: 'General admission',
    state: 'valid',
    event: redRocks,
    entered: null,
    order_id: null,
  },
  {
    ticket_id: 't2',
    code: 'RR7K-8T1W-3VNC',
    qr_svg: fakeQr(99),
    product: 'General admission',
    state: 'valid',
    event: redRocks,
    entered: { at: minutes(-22), gate_name: 'South gate', lane_name: 'Lane 2', method: 'palm' },
    order_id: null,
  },
  {
    ticket_id: 't3',
    code: 'MB2F-6P0L-1ZRE',
    qr_svg: fakeQr(1234),
    product: 'Balcony, reserved seat',
    state: 'unpaid',
    event: unplugged,
    entered: null,
    order_id: null,
  },
];

export const links = [
  {
    link_id: 'l1',
    state: 'confirmed',
    sides: ['left', 'right'],
    created_at: hours(-50),
    via_ticket: { event_name: redRocks.name, product: 'General admission' },
    consent: {
      consent_id: 'c1',
      text_version: '2026-05',
      language: 'en',
      given_at: hours(-50),
      scope: 'venue',
      until: hours(24 * 365),
      purposes: ['entry', 'duplicate_check', 'payment'],
    },
    armed: [
      { kind: 'event', name: redRocks.name, until: hours(4) },
      { kind: 'shop', name: 'Trading Post Bar', until: hours(24 * 30) },
    ],
  },
  {
    link_id: 'l2',
    state: 'pending',
    sides: ['right'],
    created_at: minutes(-8),
    via_ticket: { event_name: redRocks.name, product: 'General admission' },
    consent: {
      consent_id: 'c2',
      text_version: '2026-05',
      language: 'es',
      given_at: minutes(-8),
      scope: 'event',
      until: hours(4),
      purposes: ['entry', 'duplicate_check'],
    },
    armed: [],
  },
];

export const uses = [
  { at: minutes(-4), kind: 'paid', where: 'Trading Post Bar', why: 'Two drinks, charge 0042', method: 'palm', amount: usd(1850) },
  { at: minutes(-22), kind: 'entered', where: 'Red Rocks Amphitheatre, South gate, Lane 2', why: 'Night of the Long Echo', method: 'palm', amount: null },
  { at: hours(-26), kind: 'refunded', where: 'Trading Post Bar', why: 'Full refund of charge 0017', method: null, amount: usd(900) },
  { at: hours(-27), kind: 'paid', where: 'Trading Post Bar', why: 'Poster, charge 0017', method: 'palm', amount: usd(900) },
  { at: hours(-50), kind: 'linked', where: 'Red Rocks Amphitheatre, booth outside', why: 'Two palms, with ticket RR7K', method: 'palm', amount: null },
  { at: hours(-51), kind: 'deleted', where: 'Portal', why: 'You asked for it', method: null, amount: null },
];

export const wallet = {
  balance_credit: usd(150),
  payment_methods: [
    { id: 'p1', label: 'Always approves', default: true },
    { id: 'p2', label: 'Answers late', default: false },
  ],
  palm_pay: 'off',
  shops: ['Trading Post Bar', 'Merchandise, upper plaza'],
};

export const payments = [
  { charge_id: 'ch42', at: minutes(-4), shop_name: 'Trading Post Bar', amount: usd(1850), credit_used: usd(850), state: 'captured', receipt_url: '/receipt/r42' },
  { charge_id: 'ch17', at: hours(-27), shop_name: 'Trading Post Bar', amount: usd(900), credit_used: null, state: 'refunded', receipt_url: '/receipt/r17' },
];

export const consoleEvents = [
  { ...redRocks, sold: 9_214, entered: 3_187, palms_armed: 2_060 },
  { ...unplugged, sold: 3_105, entered: 0, palms_armed: 0 },
  { ...redRocks, event_id: 'e3', name: 'Morning Yoga on the Rocks', starts_at: hours(150), biometrics: 'allowed', sold: 1_880, entered: 0, palms_armed: 411 },
];

export function live() {
  const entries = Array.from({ length: 52 }, (_, index) => {
    const wave = Math.max(0, Math.sin(index / 9) + 0.4);
    return {
      minute: new Date(Math.floor(Date.now() / 60_000 - index) * 60_000).toISOString(),
      palm: Math.round(wave * 34 + ((index * 37) % 11)),
      code: Math.round(wave * 21 + ((index * 17) % 9)),
    };
  }).filter((_, index) => index !== 20 && index !== 21);
  return {
    entered: 3_187,
    sold: 9_214,
    entered_by_palm: 2_001,
    entered_by_code: 1_186,
    minutes: entries,
    refusals: [
      { outcome: 'already_redeemed', count: 31 },
      { outcome: 'not_recognised', count: 18 },
      { outcome: 'no_ticket', count: 9 },
      { outcome: 'invalid', count: 4 },
    ],
    linked_palms: 2_188,
    capture_failures: [
      { reason: 'blurred', count: 44 },
      { reason: 'too_dark', count: 17 },
      { reason: 'capture_timeout', count: 6 },
    ],
    devices: [
      { name: 'Pedestal S2', kind: 'pedestal', lane_name: 'Lane 2', last_seen_at: new Date(Date.now() - 2_000).toISOString() },
      { name: 'Pedestal S3', kind: 'pedestal', lane_name: 'Lane 3', last_seen_at: new Date(Date.now() - 900).toISOString() },
      { name: 'Handheld 14', kind: 'scanner', lane_name: 'Lane 4', last_seen_at: new Date(Date.now() - 41_000).toISOString() },
      { name: 'Bar till', kind: 'register', lane_name: null, last_seen_at: new Date(Date.now() - 900_000).toISOString() },
      { name: 'Booth inside', kind: 'pedestal', lane_name: null, last_seen_at: null },
    ],
    gates: [
      { gate_id: 'g1', name: 'South gate', wait: 'at_most', wait_minutes_max: 14, people: 312, devices: 8 },
      { gate_id: 'g2', name: 'North gate', wait: 'hardly', wait_minutes_max: null, people: 41, devices: 2 },
      { gate_id: 'g3', name: 'Artists’ gate', wait: 'unknown', wait_minutes_max: null, people: 0, devices: 0 },
    ],
  };
}

const station = (station_id, name, kind, mode, path) => ({ station_id, name, kind, mode, path });

export const demo = {
  stations: [
    station('s1', 'Booth outside the gate', 'pedestal', 'enrol_outside', '/pedestal'),
    station('s2', 'Palm lane, South gate', 'pedestal', 'entry_lane', '/pedestal'),
    station('s3', 'Agent scan, South gate', 'scanner', null, '/scan'),
    station('s4', 'Booth inside', 'pedestal', 'enrol_inside', '/pedestal'),
    station('s5', 'Trading Post Bar, pedestal', 'pedestal', 'counter', '/pedestal'),
    station('s6', 'Trading Post Bar, register', 'register', null, '/register'),
    station('s7', 'Palm lane, Mission Ballroom', 'pedestal', 'entry_lane', '/pedestal'),
  ],
  fans: [
    { index: 1, name: 'Ada Okafor', email: 'ada@fans.example', tickets: [{ event_name: redRocks.name, code: 'RR7K-4M2Q-9XHD' }, { event_name: redRocks.name, code: 'RR7K-8T1W-3VNC' }] },
    { index: 2, name: 'Bruno Castellanos', email: 'bruno@fans.example', tickets: [{ event_name: unplugged.name, code: 'MB2F-6P0L-1ZRE' }] },
    { index: 3, name: 'Chiara Weißenfels', email: 'chiara@fans.example', tickets: [{ event_name: redRocks.name, code: 'RR9Q-5D7S-2KAB' }] },
    { index: 4, name: 'Dev Raman', email: 'dev@fans.example', tickets: [] },
  ],
  staff: [
    { name: 'Olive Park', email: 'olive@company.example', role: 'operator' },
    { name: 'Sam Stern', email: 'sam@company.example', role: 'steward' },
  ],
};

export const mails = [
  { mail_id: 'm1', to: 'ada@fans.example', subject: 'Your sign-in link', body: 'Hello Ada,\n\nthis link signs you in. It works once, for 15 minutes.', link: '/portal#/enter/ok', at: minutes(-1) },
  { mail_id: 'm2', to: 'ada@fans.example', subject: 'A palm was linked with your ticket', body: 'A palm was linked at the booth outside with your ticket for Night of the Long Echo.\n\nIf it was you, confirm it. If not, undo it: the palm is then deleted.', link: '/portal#/links/ok', at: minutes(-8) },
  { mail_id: 'm3', to: 'olive@company.example', subject: 'Your sign-in link', body: 'Hello Olive,\n\nthis link signs you in to the console.', link: '/console#/enter/staff', at: minutes(-30) },
];

export const charge = (number, state, minor, description, more = {}) => ({
  charge_id: `ch${number}`,
  number: String(number).padStart(4, '0'),
  state,
  amount: usd(minor),
  description,
  credit_used: null,
  created_at: minutes(-number),
  expires_at: new Date(Date.now() + 47_000).toISOString(),
  receipt_url: null,
  reason: null,
  ...more,
});

export const charges = [
  charge(42, 'captured', 1850, 'Two drinks', { credit_used: usd(850), receipt_url: '/receipt/r42' }),
  charge(41, 'declined', 2500, 'T-shirt', { reason: 'payment_declined' }),
  charge(40, 'refunded', 900, 'Poster', { receipt_url: '/receipt/r17' }),
  charge(39, 'expired', 650, 'One drink'),
  charge(38, 'captured', 12_000, 'Two hoodies', { receipt_url: '/receipt/r38' }),
];

export const receipt = (key) => ({
  shop_name: 'Trading Post Bar',
  number: '0042',
  amount: usd(1850),
  credit_used: usd(850),
  charged: usd(1000),
  at: minutes(-4),
  state: key === 'r17' ? 'refunded' : 'captured',
  refunded_at: key === 'r17' ? minutes(-1) : null,
});

export const setup = {
  merchant: 'Red Rocks Shops',
  instruments: [
    { id: 'i1', label: 'Always approves', description: 'Every charge goes through at once.' },
    { id: 'i2', label: 'Always declines', description: 'Every charge is declined by the issuer.' },
    { id: 'i3', label: 'Answers late', description: 'The outcome comes after the till has stopped waiting.' },
  ],
};

export const admissions = {
  ok: { outcome: 'ok', product: 'General admission', event_name: redRocks.name, previous: null },
  already_redeemed: { outcome: 'already_redeemed', product: 'General admission', event_name: redRocks.name, previous: { at: minutes(-22), gate_name: 'South gate', lane_name: 'Lane 2', method: 'palm' } },
  invalid: { outcome: 'invalid', product: null, event_name: null, previous: null },
  unpaid: { outcome: 'unpaid', product: 'Balcony', event_name: unplugged.name, previous: null },
};

const consentText = {
  en: {
    title: 'May your palm be your ticket?',
    paragraphs: [
      'Rocky Mountain Tickets asks for your consent to store a template of your palm. A template is a row of numbers made from the lines of your hand. No picture of your hand is kept.',
      'You can end this at any moment in the portal or at the help desk. The template is then destroyed at once, with its key.',
      'Saying no has no drawback: your code opens the same gates at the same time.',
    ],
    purposes: ['To let you in at events, with the tickets on your account.', 'To check once, now, that this palm is not linked already (duplicate check).'],
  },
  es: {
    title: '¿Puede tu palma ser tu entrada?',
    paragraphs: [
      'Rocky Mountain Tickets te pide permiso para guardar una plantilla de tu palma. Una plantilla es una fila de números hecha a partir de las líneas de la mano. No se guarda ninguna imagen.',
      'Puedes terminarlo en cualquier momento en el portal o en el punto de ayuda. Entonces la plantilla se destruye al instante, con su clave.',
      'Decir que no no tiene ninguna desventaja: tu código abre las mismas puertas a la misma hora.',
    ],
    purposes: ['Dejarte entrar en los eventos con las entradas de tu cuenta.', 'Comprobar una vez, ahora, que esta palma no está ya vinculada (control de duplicados).'],
  },
  de: {
    title: 'Darf Ihre Hand Ihr Ticket sein?',
    paragraphs: [
      'Rocky Mountain Tickets bittet um Ihre Zustimmung, eine Vorlage Ihrer Handfläche zu speichern. Eine Vorlage ist eine Reihe von Zahlen, gewonnen aus den Linien der Hand. Kein Bild Ihrer Hand wird behalten.',
      'Sie können das jederzeit im Portal oder am Servicepunkt beenden. Die Vorlage wird dann sofort vernichtet, samt ihrem Schlüssel.',
      'Ein Nein hat keinen Nachteil: Ihr Code öffnet dieselben Tore zur selben Zeit.',
    ],
    purposes: ['Um Sie mit den Tickets Ihres Kontos zu Veranstaltungen einzulassen.', 'Um einmal, jetzt, zu prüfen, dass diese Hand nicht schon verknüpft ist (Dublettenprüfung).'],
  },
};

const hand = { x: 0.5, y: 0.53, radius: 0.2 };
const palm = (purpose, more = {}) => ({ screen: 'palm', purpose, side: 'either', palm: 1, palms: 1, taken: 0, wanted: 1, charge: null, ...more });

/** One view of every screen, by a name that a mock API key carries. */
export function view(name, language) {
  const text = consentText[language] ?? consentText.en;
  const views = {
    welcome: { view: { screen: 'welcome', event: { name: redRocks.name, starts_at: redRocks.starts_at }, biometrics: 'allowed' } },
    forbidden: { view: { screen: 'welcome', event: { name: unplugged.name, starts_at: unplugged.starts_at }, biometrics: 'forbidden' } },
    show_ticket: { view: { screen: 'show_ticket', problem: null } },
    ticket_problem: { view: { screen: 'show_ticket', problem: 'already_redeemed' } },
    consent: {
      view: {
        screen: 'consent',
        ticket: { event_name: redRocks.name, venue_name: redRocks.venue_name, starts_at: redRocks.starts_at, product: 'General admission' },
        text: { version: '2026-05', language, title: text.title, paragraphs: text.paragraphs, purposes: text.purposes.map((line, index) => ({ id: `p${index}`, text: line })) },
        scopes: [
          { id: 'event', until: redRocks.ends_at },
          { id: 'venue', until: hours(24 * 365) },
          { id: 'company', until: hours(24 * 365) },
        ],
        age: { from: 18, by_guardian: false },
        anew: false,
      },
    },
    choose_hands: { view: { screen: 'choose_hands' } },
    palm_enrol: { view: palm('enrol', { side: 'left', palm: 1, palms: 2, taken: 1, wanted: 3 }), guidance: { state: 'ready', hold: 0.62, hand } },
    palm_glare: { view: palm('enrol', { side: 'right', palm: 2, palms: 2, taken: 0, wanted: 3 }), guidance: { state: 'glare', hold: 0, hand: { ...hand, x: 0.42, radius: 0.14 } } },
    palm_enter: { view: palm('enter'), guidance: { state: 'closer', hold: 0, hand: { ...hand, radius: 0.14 } } },
    palm_pay: { view: palm('pay', { charge: { shop_name: 'Trading Post Bar', number: '0043', amount: usd(1850) } }), guidance: { state: 'no_hand', hold: 0, hand: null } },
    working: { view: { screen: 'working' } },
    linked: { view: { screen: 'linked', palms: 2, scope: 'venue', until: hours(24 * 365), enters_tonight: true, mail_sent: true } },
    choose_count: { view: { screen: 'choose_count', available: 5, max: 8 } },
    choose_two: { view: { screen: 'choose_count', available: 2, max: 8 } },
    admitted: { view: { screen: 'admitted', count: 2, direction: 'left' } },
    waiting: { view: { screen: 'waiting_for_charge', shop_name: 'Trading Post Bar' } },
    paid: { view: { screen: 'paid', number: '0043', amount: usd(1850), credit_used: usd(850), receipt_url: '/receipt/r42' } },
    not_recognised: { view: { screen: 'turned_away', reason: 'not_recognised', way_on: 'qr_lane' } },
    try_again: { view: { screen: 'turned_away', reason: 'capture_timeout', way_on: 'try_again' } },
    already_linked: { view: { screen: 'turned_away', reason: 'already_linked', way_on: 'sign_in' } },
    declined: { view: { screen: 'turned_away', reason: 'declined_consent', way_on: 'qr_lane' } },
    payment_unknown: { view: { screen: 'turned_away', reason: 'payment_unknown', way_on: 'staff' } },
  };
  return { type: 'view', simulated: true, guidance: null, ...(views[name] ?? views.welcome) };
}

export const occupancy = { venue: 4218, areas: [{ area_id: 'a1', name: 'Terrace', people: 312 }, { area_id: 'a2', name: 'Main floor', people: 3906 }] };
const use = (minutesAgo, lane, offline) => ({ at: minutes(-minutesAgo), gate_name: 'South gate', lane_name: lane, device_name: 'Agent scan', offline });
export const doubles = [{ ticket_id: 't1', product: 'General admission', people_too_many: 1, first: use(31, 'Lane 2', true), second: use(29, 'Lane 3', true) }];
export const settlement = [
  { product: 'General admission', sold: 7210, entered: 6644, beyond: 1, no_show: 566, cancelled: 84 },
  { product: 'Terrace seat', sold: 1480, entered: 1391, beyond: 0, no_show: 89, cancelled: 12 },
];
export const found = [
  { ticket_id: 't1', order_id: 'o1', reference: 'A-1041', name: 'Ada Okafor', email: 'ada@fans.example', product: 'General admission', state: 'valid', party_size: 1, entered: 1 },
  { ticket_id: 't2', order_id: 'o2', reference: null, name: 'Ben Okafor', email: 'ben@fans.example', product: 'Terrace seat', state: 'blocked', party_size: 4, entered: 0 },
];
export const venueDevices = [{ device_id: 'd1', name: 'Agent scan, lane 2', kind: 'scanner', gate_name: 'South gate', lane_name: 'Lane 2', revoked: false, last_seen_at: minutes(0) }];
const passage = (minutesAgo, lane, method, more) => ({ admission_id: `a${minutesAgo}`, at: minutes(-minutesAgo), passing: 'entry', people: 1, method, gate_name: 'South gate', lane_name: lane, device_name: 'Agent scan', offline: false, note: null, annulled_at: null, correction_by: null, ...more });
export const history = {
  event: consoleEvents[0],
  product: 'General admission',
  passages: [passage(44, 'Palm lane', 'palm', {}), passage(31, 'Lane 2', 'code', { offline: true, correction_by: 'Sam Reyes' }), passage(20, 'Lane 2', 'code', { annulled_at: minutes(-12) })],
  refused: [{ at: minutes(-8), outcome: 'already_redeemed', reason: 'entered_before', device_name: 'Agent scan, lane 3' }],
};
Object.assign(admissions, {
  choose_people: { outcome: 'incomplete', reason: 'choose_people', available: 5, people: 0, product: 'Group ticket', event_name: 'Night of the Long Echo', previous: null, questions: [] },
  question: { outcome: 'incomplete', reason: 'question_open', available: 0, people: 0, product: 'VIP', event_name: 'Night of the Long Echo', previous: null, questions: [{ question_id: 'q1', text: 'ID checked, 21 or older?', kind: 'confirm', choices: [] }] },
  old_code: { outcome: 'invalid', reason: 'old_rotating_code', product: null, event_name: null, previous: null, questions: [] },
  alone: { outcome: 'ok', reason: null, people: 1, product: 'General admission', event_name: 'Night of the Long Echo', previous: null, questions: [], offline_since: minutes(-3) },
});
