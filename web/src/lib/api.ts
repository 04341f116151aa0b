// The one place that knows the server's addresses and answers. Pages talk to nothing else.

const PREFIX = '/api/v1';

export interface Money {
  minor: number;
  currency: string;
}

/** RFC 3339, UTC. */
export type Time = string;
export type Biometrics = 'allowed' | 'forbidden';
export type Side = 'left' | 'right';
export type Scope = 'event' | 'venue' | 'company';

export type Who =
  | { kind: 'fan'; name: string }
  | {
      kind: 'staff';
      name: string;
      role: 'operator' | 'steward' | 'supervisor' | 'clerk';
      company_name: string;
    };

export interface Entered {
  at: Time;
  gate_name: string | null;
  lane_name: string | null;
  method: 'palm' | 'code' | 'staff';
}

export type TicketState =
  | 'valid'
  | 'unpaid'
  | 'unapproved'
  | 'cancelled'
  | 'revoked'
  | 'blocked';

/** Which code opens the gate for a ticket. */
export type CodeKind = 'static' | 'signed' | 'rotating';

/** What a phone shows a rotating code with (RFC 6238, HMAC-SHA-1). */
export interface RotatingSecret {
  beginning: string;
  /** In base 16. */
  secret: string;
  period_seconds: number;
  digits: number;
  now: Time;
}

/** What a ticket would be answered, check by check. */
export interface Explanation {
  outcome: AdmissionOutcome;
  reason: string | null;
  steps: { check: string; passed: boolean; detail: string }[];
}

export interface Ticket {
  ticket_id: string;
  codes: CodeKind;
  /** Null where it rotates: the phone shows it by itself. */
  code: string | null;
  qr_svg: string | null;
  product: string;
  state: TicketState;
  event: {
    event_id: string;
    name: string;
    venue_name: string;
    doors_at: Time;
    starts_at: Time;
    ends_at: Time;
    biometrics: Biometrics;
  };
  entered: Entered | null;
  /** Where an unpaid ticket is paid; null where somebody handed it on to me. */
  order_id: string | null;
}

export interface PalmLink {
  link_id: string;
  state: 'pending' | 'confirmed';
  sides: Side[];
  created_at: Time;
  via_ticket: { event_name: string; product: string };
  consent: {
    consent_id: string;
    text_version: string;
    language: string;
    given_at: Time;
    /** Null where the consent covers no entry. */
    scope: Scope | null;
    until: Time | null;
    purposes: string[];
  };
  armed: { kind: 'event' | 'shop'; name: string; until: Time }[];
}

export interface DeletionReceipt {
  receipt_id: string;
  deleted_at: Time;
  palms: number;
  statement: string;
}

export type LinkAnswer = 'confirm' | 'companion' | 'undo';

export interface LinkDecision {
  event_name: string;
  product: string;
  venue_name: string;
  created_at: Time;
  state: string;
}

export interface Use {
  at: Time;
  kind: 'linked' | 'entered' | 'paid' | 'refunded' | 'deleted';
  where: string;
  why: string;
  method: 'palm' | 'code' | 'phone' | null;
  amount: Money | null;
}

/** The three nodes' signed parts of a search's tags; none where one machine matches in clear. */
export interface SearchTags {
  /** Which vault, in hexadecimal as all of these but the parts. */
  deployment: string;
  /** `parts`: of the nodes A, B and C in base 64 (for addresses), 16 bytes and a signature of 64. */
  searches: { query: string; tag: string; parts: string[] }[];
}

/** What the vault's nodes sign with; null where one machine matches in clear. */
export interface NodeKeys {
  nodes: string[] | null;
  deployment: string | null;
}

/** A leaf of the public log about one of my palms, with what opens it. */
export interface ReceiptLine {
  link_id: string;
  position: number | null;
  at: Time;
  kind: string;
  searched: number | null;
  record: { purpose?: string; place?: string; tags?: SearchTags; [field: string]: unknown };
  state: 'promised' | 'proven';
}

/** What the public log says of one month. */
export interface ReportMonth {
  month: string;
  enrolled: number;
  searches: number;
  deleted_by_person: number;
  deleted_by_policy: number;
  demands_received: number;
  demands_refused: number;
  demands_answered: number;
  people_handed_over: number;
  staff_reads: number;
  forbidden_events: number;
}

/** One node's part of what the tags of searches would be, sealed to a key of this page. */
export interface AuditPart {
  node: string | null;
  sealed: string;
  signature: string | null;
}

export interface AuditedPalm {
  side: string;
  parts: AuditPart[];
}

export interface Wallet {
  balance_credit: Money;
  payment_methods: { id: string; label: string; default: boolean }[];
  palm_pay: 'on' | 'off';
  shops: (string | { name: string })[];
  frozen: boolean;
  has_pin: boolean;
  pin_always: boolean;
  pin_misses: number;
  limits: { charge: Money; day: Money; week: Money };
  loyalty: { program: string; number: string }[];
  age: { years: number; verified_by: string; until: Time } | null;
}

/** What is agreed to when a palm may pay, as the record will name it. */
export interface PaymentConsent {
  version: string;
  language: string;
  title: string;
  paragraphs: string[];
  purposes: string[];
}

/** A charge whose code a phone read from a pedestal. */
export interface PhoneCharge {
  shop_name: string;
  number: string | number;
  amount: Money;
  description: string;
  state: ChargeState;
  expires_at: Time;
  receipt_url: string | null;
  reason: string | null;
}

export interface StatementLine {
  transfer_id: string;
  at: Time;
  purpose: string;
  subject: string;
  state: string;
  amount: Money;
}

export interface Statement {
  balances: Money[];
  lines: StatementLine[];
  next: string | null;
}

/** The sums of a shop's day. */
export interface Day {
  shop_name: string;
  day: number;
  date: string;
  charges: number;
  taken: Money;
  by_credit: Money;
  by_card: Money;
  tips: Money;
  discounts: Money;
  cash: Money;
  tax: Money;
  refunds: number;
  given_back: Money;
  open: number;
  closed_at: Time | null;
}

export interface Payment {
  charge_id: string;
  at: Time;
  shop_name: string;
  amount: Money;
  credit_used: Money | null;
  state: ChargeState;
  receipt_url: string | null;
}

export interface GatewaySetup {
  merchant: string;
  instruments: { id: string; label: string; description: string }[];
}

export interface ConsoleEvent {
  event_id: string;
  name: string;
  venue_name: string;
  doors_at: Time;
  starts_at: Time;
  ends_at: Time;
  biometrics: Biometrics;
  sold: number;
  entered: number;
  palms_armed: number;
}

export interface EntryMinute {
  minute: Time;
  palm: number;
  code: number;
}

/** How long people wait at a gate, as far as its verdicts tell. */
export interface GateWait {
  gate_id: string;
  name: string;
  wait: 'unknown' | 'hardly' | 'at_most';
  /** Nobody who is let in now has waited longer; null unless `at_most`. */
  wait_minutes_max: number | null;
  /** People let in within the last ten whole minutes. */
  people: number;
  /** Devices that decided something within the last five. */
  devices: number;
}

export interface LiveEvent {
  entered: number;
  sold: number;
  entered_by_palm: number;
  entered_by_code: number;
  minutes: EntryMinute[];
  refusals: { outcome: string; count: number }[];
  linked_palms: number;
  capture_failures: { reason: string; count: number }[];
  devices: { name: string; kind: string; lane_name: string | null; last_seen_at: Time | null }[];
  gates: GateWait[];
}

export type DeviceMode = 'enrol_outside' | 'enrol_inside' | 'entry_lane' | 'counter';

export interface Device {
  name: string;
  kind: 'pedestal' | 'scanner' | 'register';
  mode: DeviceMode | null;
  venue_name: string | null;
  gate_name: string | null;
  lane_name: string | null;
  shop_name: string | null;
  /** Where a pedestal's frames come from: this page's camera, or the server's own. */
  camera?: 'browser' | 'kiosk';
}

export type AdmissionOutcome =
  | 'ok'
  | 'already_redeemed'
  | 'unpaid'
  | 'unapproved'
  | 'cancelled'
  | 'product'
  | 'rules'
  | 'invalid_time'
  | 'revoked'
  | 'blocked'
  | 'invalid'
  | 'ambiguous'
  | 'incomplete'
  | 'annulled';

export interface Question {
  question_id: string;
  text: string;
  kind: 'confirm' | 'choice' | 'text';
  choices: string[];
}

export interface Admission {
  outcome: AdmissionOutcome;
  /** Why exactly, where the server says more than the outcome. */
  reason?: string | null;
  product: string | null;
  event_name: string | null;
  previous: Entered | null;
  /** How many people passed, and how many may pass on a ticket for several. */
  people?: number;
  available?: number;
  /** Worth knowing of a passage that was allowed. */
  note?: 'inside_already' | 'nobody_inside' | 'forced' | null;
  /** What has to be answered before anybody enters. */
  questions?: Question[];
  /** Since when the lane decides from its own copy. */
  offline_since?: Time;
  /** What the lane's turnstile did, where it has one. */
  turnstile?: 'open' | 'silent';
}

/** What may be said of a scan beside its code. */
export interface ScanTerms {
  people?: number;
  answers?: { question_id: string; answer: string }[];
}

export interface FoundTicket {
  ticket_id: string;
  order_id: string;
  reference: string | null;
  name: string;
  email: string;
  product: string;
  state: TicketState;
  party_size: number;
  entered: number;
}

export interface Passage {
  admission_id: string;
  at: Time;
  passing: 'entry' | 'exit';
  people: number;
  method: Entered['method'];
  gate_name: string | null;
  lane_name: string | null;
  device_name: string;
  offline: boolean;
  note: Admission['note'];
  annulled_at: Time | null;
  correction_by: string | null;
}

export interface TicketHistory {
  event: Ticket['event'];
  product: string;
  passages: Passage[];
  refused: { at: Time; outcome: AdmissionOutcome; reason: string | null; device_name: string }[];
}

export interface Occupancy {
  venue: number;
  areas: { area_id: string; name: string; people: number }[];
}

export interface Settlement {
  product: string;
  sold: number;
  entered: number;
  beyond: number;
  no_show: number;
  cancelled: number;
}

export interface SaleProduct {
  name: string;
  price: Money;
  left: number | null;
}

export interface EventCore {
  event_id: string;
  name: string;
  venue_name: string;
  doors_at: Time;
  starts_at: Time;
  ends_at: Time;
  biometrics: Biometrics;
}

export interface SaleEvent extends EventCore {
  products: SaleProduct[];
}

export interface WindowProduct extends SaleProduct {
  taken: number;
  capacity: number | null;
  on_sale: boolean;
  codes: CodeKind;
}

export interface WindowEvent extends EventCore {
  products: WindowProduct[];
}

export interface OrderLine {
  product: string;
  quantity: number;
}

export interface Order {
  order_id: string;
  state: 'pending' | 'paid' | 'unapproved' | 'cancelled';
  hold_until: Time | null;
  amount: Money | null;
  tender: 'till' | 'cash' | 'terminal' | 'free' | null;
  paying: boolean;
  refunded_minor: number;
  /** Of it, what was handed out at the window. */
  refunded_hand_minor: number;
  refund_owed_minor: number;
  tickets: { ticket_id: string; event_id: string; product: string; state: TicketState }[];
  reason: string | null;
  /** What its tickets are for, the soonest first. */
  events: EventCore[];
}

export interface TicketOffer {
  event: EventCore;
  product: string;
  from: string;
}

export interface Place {
  venue_id: string;
  name: string;
  utc_offset_minutes: number;
  areas: { area_id: string; name: string }[];
  gates: {
    gate_id: string;
    name: string;
    area_id: string | null;
    lanes: { lane_id: string; name: string; direction: string }[];
  }[];
}

export interface ListTerms {
  name: string;
  entry: 'single' | 'after_exit' | 'multiple';
  anti_passback: 'none' | 'soft' | 'hard' | 'timed';
  anti_passback_minutes: number | null;
  anti_passback_scope: 'list' | 'area';
  include_unpaid: boolean;
  addon_match: boolean;
  rule: unknown;
  products: string[];
  gates: string[];
}

export interface CheckInList {
  list_id: string;
  terms: ListTerms;
}

export interface Invitation {
  device_id: string;
  code: string;
  qr_svg: string;
}

/** How a lane of its own is (`handfast lane`). */
export interface LaneStatus {
  connected: boolean;
  offline_since: Time | null;
  copied_until: Time | null;
  tickets: number;
  waiting: number;
  revoked: boolean;
  turnstile: boolean | null;
  verdicts: {
    at: Time;
    outcome: AdmissionOutcome;
    reason: string | null;
    product: string | null;
    people: number;
    alone: boolean;
  }[];
}

export interface DoubleUse {
  at: Time;
  gate_name: string | null;
  lane_name: string | null;
  device_name: string;
  offline: boolean;
}

export interface Double {
  ticket_id: string;
  product: string;
  people_too_many: number;
  first: DoubleUse;
  second: DoubleUse;
}

export interface VenueDevice {
  device_id: string;
  name: string;
  kind: string;
  gate_name: string | null;
  lane_name: string | null;
  revoked: boolean;
  last_seen_at: Time | null;
}

export type ChargeState =
  | 'requested'
  | 'identified'
  | 'authorising'
  | 'authorised'
  | 'captured'
  | 'voided'
  | 'expired'
  | 'cancelled'
  | 'declined'
  | 'unknown'
  | 'refunded'
  | 'accepted_offline';

export interface Charge {
  charge_id: string;
  number: string | number;
  state: ChargeState;
  amount: Money;
  description: string;
  credit_used: Money | null;
  created_at: Time;
  expires_at: Time;
  receipt_url: string | null;
  reason: string | null;
  asked: Money;
  tip: Money;
  cash: Money;
  tax: Money;
  discount: Money;
  discount_name: string | null;
  refunded: Money;
  disputed: Money;
  held: boolean;
  hold_until: Time | null;
  tip_of: string | null;
}

/** What a register may ask for beside an amount. */
export interface ChargeParts {
  lines: { name: string; quantity: number; unit_minor: number; tax_ppm: number }[];
  tip_minor: number;
  cash_minor: number;
}

export interface PaymentReceipt {
  shop_name: string;
  number: string | number;
  amount: Money;
  credit_used: Money | null;
  charged: Money;
  at: Time;
  state: ChargeState;
  refunded_at: Time | null;
  refunded: Money;
  tip: Money;
  cash: Money;
  tax: Money;
  discount: Money;
  discount_name: string | null;
  lines: { name: string; quantity: number; total: Money; tax_ppm: number }[];
}

export interface DemoStation {
  station_id: string;
  name: string;
  kind: Device['kind'];
  mode: DeviceMode | null;
  path: string;
}

export interface DemoFan {
  index: number;
  name: string;
  email: string;
  tickets: { event_name: string; code: string }[];
}

export interface Demo {
  stations: DemoStation[];
  fans: DemoFan[];
  staff: { name: string; email: string; role: string }[];
  /** Whether the demo's events are over. */
  over?: boolean;
}

/** One of the vault's three nodes. */
export interface VaultNode {
  /** `a`, `b` or `c`. */
  node: string;
  up: boolean;
  since: Time;
}

/** Who compares palms here. */
export interface VaultForm {
  form: 'in_clear' | 'three_nodes_here' | 'three_nodes';
  /** Whether palms can be compared now. */
  ready: boolean;
  nodes: VaultNode[];
}

export interface Mail {
  mail_id: string;
  to: string;
  subject: string;
  body: string;
  link: string | null;
  at: Time;
}

/** Something went wrong, in the server's words (RFC 9457) or ours when it could not be reached. */
export class Problem extends Error {
  readonly slug: string;
  readonly status: number;
  readonly detail: string;

  constructor(slug: string, status: number, detail: string) {
    super(`${slug}: ${detail}`);
    this.name = 'Problem';
    this.slug = slug;
    this.status = status;
    this.detail = detail;
  }

  get offline(): boolean {
    return this.slug === 'offline';
  }
}

/** The last segment of a problem type, with dashes as underscores: the name the catalogues use. */
export function slugOf(type: unknown): string {
  if (typeof type !== 'string') return 'unexpected';
  const last = type.split('/').pop() ?? '';
  return last === '' || last === 'about:blank' ? 'unexpected' : last.replaceAll('-', '_');
}

async function problemFrom(response: Response): Promise<Problem> {
  let body: { type?: unknown; detail?: unknown; title?: unknown } = {};
  try {
    body = (await response.json()) as typeof body;
  } catch {
    // A proxy in between answered with something else: the status still says enough.
  }
  const detail = [body.detail, body.title].find((text) => typeof text === 'string') ?? '';
  const slug = slugOf(body.type);
  return new Problem(fallbackSlug(slug, response.status), response.status, String(detail));
}

function fallbackSlug(slug: string, status: number): string {
  if (slug !== 'unexpected') return slug;
  if (status === 401) return 'unauthenticated';
  if (status === 404) return 'gone';
  if (status === 429) return 'too_many_requests';
  return status >= 502 ? 'offline' : slug;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function call<T>(method: Method, path: string, body?: unknown, apiKey?: string): Promise<T> {
  const text = await (await ask(method, path, body, apiKey)).text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** A file that is kept: one that needs a key in a header, or that changes something by being taken. */
async function fileOf(method: Method, path: string, apiKey?: string): Promise<Blob> {
  return (await ask(method, path, undefined, apiKey, '*/*')).blob();
}

async function ask(
  method: Method,
  path: string,
  body: unknown,
  apiKey: string | undefined,
  accept = 'application/json',
): Promise<Response> {
  const headers: Record<string, string> = { Accept: accept };
  if (method !== 'GET') headers['X-Handfast'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (apiKey !== undefined) headers['Authorization'] = `Bearer ${apiKey}`;
  let response: Response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      headers,
      credentials: apiKey === undefined ? 'same-origin' : 'omit',
      cache: 'no-store',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem('offline', 0, '');
  }
  if (!response.ok) throw await problemFrom(response);
  return response;
}

const id = encodeURIComponent;

export const session = {
  who: () => call<Who>('GET', '/session'),
  requestLink: (email: string, realm: 'fan' | 'staff') =>
    call<void>('POST', '/sign-in', { email, realm }),
  enter: (key: string) => call<Who>('POST', '/session', { key }),
  leave: () => call<void>('DELETE', '/session'),
};

export const transparency = {
  report: () => call<{ leaves: number; months: ReportMonth[] }>('GET', '/transparency'),
};

/** The words that a parent or guardian reads. */
export interface GuardianText {
  version: string;
  language: string;
  paragraphs: string[];
  /** At that event; a venue may be stricter than the law. */
  minimum_age: number;
  own_consent_from: number;
  /** Whether a guardian's consent opens anything there. */
  counts: boolean;
}

/** A guardian's consent that somebody younger links a palm with a ticket. */
export interface GuardianConsent {
  ticket_id: string;
  given_at: Time;
  text_version: string;
  by: 'holder' | 'staff';
}

/** What touches many people; two of the staff decide it. */
export type WideAct =
  | { act: 'end_palms_of_event'; event_id: string }
  | { act: 'switch_all_events'; biometrics: Biometrics }
  | { act: 'set_minimum_age'; venue_id: string; years: number }
  | { act: 'disclose'; people: number }
  | { act: 'export_orders'; event_id: string };

/** A request for it. */
export interface Approval {
  number: number;
  act: WideAct;
  reason: string;
  asked_by: string;
  mine: boolean;
  asked_at: Time;
  expires_at: Time;
  state: 'waiting' | 'approved' | 'refused' | 'done' | 'expired';
  decided_by: string | null;
  decided_at: Time | null;
}

export const approvals = {
  all: () => call<Approval[]>('GET', '/console/approvals'),
  ask: (act: WideAct, reason: string) =>
    call<Approval>('POST', '/console/approvals', { act, reason }),
  decide: (number: number, approve: boolean) =>
    call<Approval>('POST', `/console/approvals/${number}`, { approve }),
  /** Taken once: the approval is used up. */
  ordersCsv: (number: number) => fileOf('POST', `/console/approvals/${number}/orders.csv`),
};

export const guardians = {
  text: (language: string, event: string) =>
    call<GuardianText>('GET', `/guardian-consent/${id(language)}?event_id=${id(event)}`),
  mine: () => call<GuardianConsent[]>('GET', '/me/guardian-consents'),
  give: (ticket: string, read: GuardianText) =>
    call<GuardianConsent>('PUT', `/me/tickets/${id(ticket)}/guardian-consent`, {
      text_version: read.version,
      language: read.language,
    }),
  withdraw: (ticket: string) =>
    call<unknown>('DELETE', `/me/tickets/${id(ticket)}/guardian-consent`),
  giveAtWindow: (ticket: string, read: GuardianText) =>
    call<GuardianConsent>('PUT', `/window/tickets/${id(ticket)}/guardian-consent`, {
      text_version: read.version,
      language: read.language,
    }),
};

export const me = {
  tickets: () => call<Ticket[]>('GET', '/me/tickets'),
  rotatingCode: (ticket: string) =>
    call<RotatingSecret>('POST', `/me/tickets/${id(ticket)}/rotating-code`),
  links: () => call<PalmLink[]>('GET', '/me/links'),
  confirmLink: (link: string) => call<void>('POST', `/me/links/${id(link)}/confirm`),
  deleteLink: (link: string) =>
    call<{ receipt: DeletionReceipt }>('DELETE', `/me/links/${id(link)}`),
  changeScope: (link: string, scope: Scope) =>
    call<unknown>('PATCH', `/me/links/${id(link)}`, { scope }),
  moveLink: (link: string, code: string) =>
    call<void>('POST', `/me/links/${id(link)}/move`, { code }),
  uses: () => call<Use[]>('GET', '/me/uses'),
  receipts: () => call<ReceiptLine[]>('GET', '/me/receipts'),
  audit: (link: string, recipient: string, queries: string[]) =>
    call<{ palms: AuditedPalm[] }>('POST', `/me/links/${id(link)}/audit`, { recipient, queries }),
  nodeKeys: async () => {
    const response = await fetch('/log/nodes', { cache: 'no-store' });
    if (!response.ok) throw await problemFrom(response);
    return (await response.json()) as NodeKeys;
  },
  receiptAddress: (link: string, position: number) =>
    `/api/v1/me/receipts/${id(link)}/${position}`,
  wallet: () => call<Wallet | null>('GET', '/me/wallet'),
  setupWallet: () => call<{ url: string }>('POST', '/me/wallet/setup'),
  completeSetup: (setup: string) =>
    call<Wallet>('POST', `/me/wallet/setup/${id(setup)}/complete`),
  removePaymentMethod: (method: string) =>
    call<unknown>('DELETE', `/me/wallet/payment-methods/${id(method)}`),
  paymentConsent: (language: string) =>
    call<PaymentConsent>('GET', `/payment-consent/${id(language)}`),
  /** With the text that was read: the record names it as it stood on the screen. */
  setPalmPay: (on: boolean, read: PaymentConsent | null = null) =>
    call<unknown>('PUT', '/me/wallet/palm-pay', {
      on,
      language: read?.language ?? null,
      text_version: read?.version ?? null,
    }),
  chooseDefault: (method: string) =>
    call<Wallet>('PUT', `/me/wallet/payment-methods/${id(method)}/default`),
  setPin: (pin: string, always: boolean) =>
    call<Wallet>('PUT', '/me/wallet/pin', { pin, always }),
  clearPin: () => call<Wallet>('DELETE', '/me/wallet/pin'),
  setLimits: (currency: string, charge_minor: number, day_minor: number, week_minor: number) =>
    call<Wallet>('PUT', '/me/wallet/limits', { currency, charge_minor, day_minor, week_minor }),
  setLoyalty: (program: string, number: string) =>
    call<Wallet>('PUT', '/me/wallet/loyalty', { program, number }),
  forgetLoyalty: (program: string) =>
    call<Wallet>('DELETE', `/me/wallet/loyalty/${id(program)}`),
  statement: (before: string | null = null) =>
    call<Statement>(
      'GET',
      `/me/wallet/statement${before === null ? '' : `?before=${encodeURIComponent(before)}`}`,
    ),
  phoneCharge: (key: string) => call<PhoneCharge>('GET', `/me/charges/${id(key)}`),
  payByPhone: (key: string) => call<PhoneCharge>('POST', `/me/charges/${id(key)}/pay`),
  payments: () => call<Payment[]>('GET', '/me/payments'),
};

export const sales = {
  events: () => call<SaleEvent[]>('GET', '/sales/events'),
  join: (email: string, name: string, language: string) =>
    call<void>('POST', '/sales/join', { email, name, language }),
  place: (event_id: string, lines: OrderLine[], nonce: string) =>
    call<Order>('POST', '/me/orders', { event_id, lines, nonce }),
  order: (order: string) => call<Order>('GET', `/me/orders/${id(order)}`),
  pay: (order: string) => call<Order>('POST', `/me/orders/${id(order)}/pay`, {}),
  pdf: (order: string) => `${PREFIX}/me/orders/${id(order)}/tickets.pdf`,
  offer: (ticket: string, email: string) =>
    call<void>('POST', `/me/tickets/${id(ticket)}/offer`, { email }),
  withdraw: (ticket: string) => call<void>('DELETE', `/me/tickets/${id(ticket)}/offer`),
  offered: (key: string) => call<TicketOffer>('GET', `/ticket-offers/${id(key)}`),
  take: (key: string, name: string, language: string) =>
    call<void>('POST', `/ticket-offers/${id(key)}`, { name, language }),
};

export const boxWindow = {
  events: () => call<WindowEvent[]>('GET', '/window/events'),
  sell: (sale: {
    event_id: string;
    lines: OrderLine[];
    nonce: string;
    name: string;
    email: string | null;
    language: string;
    tender: 'cash' | 'terminal' | 'free';
  }) => call<Order>('POST', '/window/orders', sale),
  order: (order: string) => call<Order>('GET', `/window/orders/${id(order)}`),
  pdf: (order: string) => `${PREFIX}/window/orders/${id(order)}/tickets.pdf`,
  paid: (order: string, tender: 'cash' | 'terminal') =>
    call<Order>('POST', `/window/orders/${id(order)}/paid`, { tender }),
  refund: (order: string, ticket_ids: string[], reason: string) =>
    call<Order>('POST', `/window/orders/${id(order)}/refund`, { ticket_ids, reason }),
  exchange: (ticket: string, product: string, reason: string) =>
    call<{ order: Order; difference: Money }>('POST', `/window/tickets/${id(ticket)}/exchange`, {
      product,
      reason,
    }),
};

export const setUp = {
  venues: () => call<Place[]>('GET', '/console/venues'),
  addVenue: (name: string, utc_offset_minutes: number) =>
    call<Place>('POST', '/console/venues', { name, utc_offset_minutes }),
  addGate: (venue: string, name: string) =>
    call<Place>('POST', `/console/venues/${id(venue)}/gates`, { name }),
  addLane: (venue: string, gate: string, name: string, direction: string, passing: string) =>
    call<Place>('POST', `/console/venues/${id(venue)}/gates/${id(gate)}/lanes`, {
      name,
      direction,
      passing,
    }),
  addEvent: (event: {
    venue_id: string;
    name: string;
    doors_at: Time;
    starts_at: Time;
    ends_at: Time;
    biometrics: Biometrics;
  }) => call<EventCore>('POST', '/console/events', event),
  setProduct: (
    event: string,
    product: { name: string; price: Money; capacity: number | null; on_sale: boolean; codes: CodeKind },
  ) => call<void>('PUT', `/console/events/${id(event)}/products`, product),
  lists: (event: string) => call<CheckInList[]>('GET', `/console/events/${id(event)}/lists`),
  addList: (event: string, terms: ListTerms) =>
    call<CheckInList>('POST', `/console/events/${id(event)}/lists`, terms),
  explain: (code: string, device: string, at: Time | null) =>
    call<Explanation>('POST', '/console/explain', { code, device_id: device, at }),
  setList: (list: string, terms: ListTerms) =>
    call<CheckInList>('PUT', `/console/lists/${id(list)}`, terms),
  invite: (
    event: string,
    device: { name: string; kind: string; mode: string | null; lane_id: string | null },
  ) => call<Invitation>('POST', `/console/events/${id(event)}/devices`, device),
  inviteAgain: (device: string) =>
    call<Invitation>('POST', `/console/devices/${id(device)}/invitation`, {}),
  revoke: (device: string) => call<void>('DELETE', `/console/devices/${id(device)}`),
};

export interface Endpoint {
  endpoint_id: string;
  url: string;
}

export interface ShopOfCompany {
  shop_id: string;
  name: string;
  currency: string;
  webhooks: Endpoint[];
}

export interface Delivery {
  message_id: string;
  kind: string;
  charge_id: string;
  number: number;
  at: Time;
  state: 'waiting' | 'delivered' | 'given_up';
  attempts: number;
  last_status: number | null;
  next_at: Time | null;
  delivered_at: Time | null;
}

interface Counted {
  charges: number;
  amount: Money;
}

export interface OfflineFloor {
  charge_max: Money | null;
  sum_max: Money | null;
  open: Counted;
  paid: Counted;
  lost: Counted;
}

export interface Difference {
  kind:
    | 'missing_at_gateway'
    | 'unknown_here'
    | 'captured_differs'
    | 'refunded_differs'
    | 'still_held';
  subject: string;
  ours_minor: number | null;
  theirs_minor: number | null;
}

export interface Reconciliation {
  charges: number;
  payments: number;
  open: number;
  mismatches: Difference[];
}

export const shops = {
  all: () => call<ShopOfCompany[]>('GET', '/console/shops'),
  addWebhook: (shop: string, url: string) =>
    call<{ endpoint_id: string; secret: string }>('POST', `/console/shops/${id(shop)}/webhooks`, {
      url,
    }),
  removeWebhook: (shop: string, endpoint: string) =>
    call<void>('DELETE', `/console/shops/${id(shop)}/webhooks/${id(endpoint)}`),
  deliveries: (shop: string, endpoint: string) =>
    call<Delivery[]>('GET', `/console/shops/${id(shop)}/webhooks/${id(endpoint)}/deliveries`),
  sendAgain: (shop: string, message: string) =>
    call<void>('POST', `/console/shops/${id(shop)}/deliveries/${id(message)}/retry`),
  rollSecret: (shop: string, endpoint: string) =>
    call<{ secret: string }>('POST', `/console/shops/${id(shop)}/webhooks/${id(endpoint)}/secret`),
  offline: (shop: string) => call<OfflineFloor>('GET', `/console/shops/${id(shop)}/offline-floor`),
  setOffline: (shop: string, chargeMax: number | null, sumMax: number | null) =>
    call<OfflineFloor>('PUT', `/console/shops/${id(shop)}/offline-floor`, {
      charge_max_minor: chargeMax,
      sum_max_minor: sumMax,
    }),
  reconcile: (days: number, report: string | null) =>
    call<Reconciliation>('POST', '/console/reconciliations', { days, report }),
};

export interface PaymentAlarm {
  shop_name: string;
  amount: Money;
  at: Time;
  raised_at: Time | null;
}

export const paymentAlarms = {
  get: (key: string) => call<PaymentAlarm>('GET', `/payment-alarms/${id(key)}`),
  raise: (key: string) => call<PaymentAlarm>('POST', `/payment-alarms/${id(key)}`),
};

export const linkDecisions = {
  get: (key: string) => call<LinkDecision>('GET', `/link-decisions/${id(key)}`),
  decide: (key: string, decision: LinkAnswer) =>
    call<void>('POST', `/link-decisions/${id(key)}`, { decision }),
};

export const testGateway = {
  setup: (setup: string) => call<GatewaySetup>('GET', `/test-gateway/setup/${id(setup)}`),
  choose: (setup: string, instrument: string) =>
    call<{ return_url: string }>('POST', `/test-gateway/setup/${id(setup)}`, {
      instrument_id: instrument,
    }),
};

export const operator = {
  events: () => call<ConsoleEvent[]>('GET', '/console/events'),
  setBiometrics: (event: string, biometrics: Biometrics) =>
    call<unknown>('PATCH', `/console/events/${id(event)}`, { biometrics }),
  live: (event: string) => call<LiveEvent>('GET', `/console/events/${id(event)}/live`),
  occupancy: (event: string) =>
    call<Occupancy>('GET', `/console/events/${id(event)}/occupancy`),
  doubles: (event: string) => call<Double[]>('GET', `/console/events/${id(event)}/doubles`),
  settlement: (event: string) =>
    call<Settlement[]>('GET', `/console/events/${id(event)}/settlement`),
  /** A file that the browser saves or shows; the session's cookie goes with it. */
  file: (event: string, name: 'settlement.csv' | 'settlement.pdf' | 'fallback.pdf') =>
    `${PREFIX}/console/events/${id(event)}/${name}`,
  search: (event: string, text: string) =>
    call<FoundTicket[]>('GET', `/console/events/${id(event)}/tickets?text=${id(text)}`),
  history: (ticket: string) => call<TicketHistory>('GET', `/console/tickets/${id(ticket)}`),
  setTicket: (ticket: string, state: TicketState, reason: string) =>
    call<TicketHistory>('PATCH', `/console/tickets/${id(ticket)}`, { state, reason }),
  force: (ticket: string, device: string, reason: string, nonce: string) =>
    call<Admission>('POST', `/console/tickets/${id(ticket)}/force`, {
      device_id: device,
      reason,
      nonce,
    }),
  correct: (admission: string, reason: string) =>
    call<{ done: boolean }>('POST', `/console/admissions/${id(admission)}/correct`, { reason }),
  devices: (event: string) => call<VenueDevice[]>('GET', `/console/events/${id(event)}/devices`),
};

export const device = {
  self: (key: string) => call<Device>('GET', '/device', undefined, key),
  admit: (key: string, code: string, nonce: string, terms: ScanTerms = {}) =>
    call<Admission>('POST', '/admissions', { code, nonce, ...terms }, key),
  annul: (key: string, nonce: string, reason: string) =>
    call<unknown>('POST', '/admissions/annul', { nonce, reason }, key),
  laneStatus: (key: string) => call<LaneStatus>('GET', '/lane/status', undefined, key),
};

export const charges = {
  start: (
    key: string,
    amount: Money,
    description: string,
    nonce: string,
    parts: ChargeParts = { lines: [], tip_minor: 0, cash_minor: 0 },
  ) => call<Charge>('POST', '/charges', { amount, description, nonce, ...parts }, key),
  get: (key: string, charge: string) =>
    call<Charge>('GET', `/charges/${id(charge)}`, undefined, key),
  latest: (key: string) => call<Charge[]>('GET', '/charges', undefined, key),
  cancel: (key: string, charge: string) =>
    call<Charge>('POST', `/charges/${id(charge)}/cancel`, {}, key),
  refund: (key: string, charge: string, nonce: string, minor: number | null = null) =>
    call<Charge>('POST', `/charges/${id(charge)}/refund`, { nonce, minor }, key),
  tip: (key: string, charge: string, nonce: string, minor: number) =>
    call<Charge>('POST', `/charges/${id(charge)}/tip`, { nonce, minor }, key),
  capture: (key: string, charge: string, minor: number | null) =>
    call<Charge>('POST', `/charges/${id(charge)}/capture`, { minor }, key),
  day: (key: string) => call<Day>('GET', '/register/day', undefined, key),
  dayFile: (key: string, kind: 'csv' | 'pdf') => fileOf('GET', `/register/day.${kind}`, key),
};

export const receipts = {
  get: (key: string) => call<PaymentReceipt>('GET', `/receipts/${id(key)}`),
};

export const demo = {
  get: () => call<Demo>('GET', '/demo'),
  stationKey: (station: string) =>
    call<{ api_key: string }>('POST', `/demo/stations/${id(station)}/key`),
  mailbox: () => call<Mail[]>('GET', '/demo/mailbox'),
  stopNode: (node: string) => call<VaultForm>('POST', `/demo/nodes/${id(node)}/stop`),
  startNode: (node: string) => call<VaultForm>('POST', `/demo/nodes/${id(node)}/start`),
};

export const vaultForm = () => call<VaultForm>('GET', '/vault');

/** The pedestal's WebSocket address on the server that served this page. */
export function pedestalAddress(location: { protocol: string; host: string }): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${PREFIX}/pedestal`;
}
