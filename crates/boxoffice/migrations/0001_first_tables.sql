-- The box office's first tables. Times are microseconds since 1970 (UTC), ids are ours, words are
-- those of the code's enums. Released: never edit this file, write the next one.

CREATE TABLE companies (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE venues (
    id TEXT PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (id),
    name TEXT NOT NULL
);

CREATE TABLE areas (
    id TEXT PRIMARY KEY,
    venue_id TEXT NOT NULL REFERENCES venues (id),
    name TEXT NOT NULL
);

CREATE TABLE gates (
    id TEXT PRIMARY KEY,
    venue_id TEXT NOT NULL REFERENCES venues (id),
    area_id TEXT REFERENCES areas (id),
    name TEXT NOT NULL
);

CREATE TABLE lanes (
    id TEXT PRIMARY KEY,
    gate_id TEXT NOT NULL REFERENCES gates (id),
    name TEXT NOT NULL,
    direction TEXT NOT NULL
);

-- A lane with rows here admits these products only.
CREATE TABLE lane_products (
    lane_id TEXT NOT NULL REFERENCES lanes (id),
    product TEXT NOT NULL,
    PRIMARY KEY (lane_id, product)
);

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    venue_id TEXT NOT NULL REFERENCES venues (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    mode TEXT,
    lane_id TEXT REFERENCES lanes (id),
    shop_reference TEXT,
    paired_with TEXT REFERENCES devices (id),
    api_key_hash BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- Apart from devices, so that a sighting never stands in the way of an admission.
CREATE TABLE device_sightings (
    device_id TEXT PRIMARY KEY REFERENCES devices (id),
    last_seen_at BIGINT NOT NULL
);

CREATE TABLE events (
    id TEXT PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (id),
    venue_id TEXT NOT NULL REFERENCES venues (id),
    name TEXT NOT NULL,
    doors_at BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    biometrics TEXT NOT NULL
);
CREATE INDEX events_by_venue ON events (venue_id, ends_at);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE staff_users (
    id TEXT PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (id),
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    language TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX orders_by_account ON orders (account_id);

CREATE TABLE tickets (
    id TEXT PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id),
    event_id TEXT NOT NULL REFERENCES events (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    product TEXT NOT NULL,
    code TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
);
CREATE INDEX tickets_by_order ON tickets (order_id);
CREATE INDEX tickets_by_event ON tickets (event_id);
CREATE INDEX tickets_by_account ON tickets (account_id);

-- A tie between a palm and a ticket, later an account. `ticket_id` is what it enters with now;
-- `made_with` is what it was made with and never changes.
CREATE TABLE links (
    id TEXT PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (id),
    venue_id TEXT NOT NULL REFERENCES venues (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    made_with TEXT NOT NULL REFERENCES tickets (id),
    ticket_id TEXT REFERENCES tickets (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    state TEXT NOT NULL,
    scope TEXT NOT NULL,
    future_only BOOLEAN NOT NULL,
    active_from BIGINT NOT NULL,
    until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    ended_at BIGINT,
    deleted_at BIGINT,
    receipt_id TEXT
);
-- One ticket, one person: at most one living link a ticket.
CREATE UNIQUE INDEX links_living_by_ticket ON links (ticket_id)
    WHERE state IN ('pending', 'confirmed');
CREATE INDEX links_by_account ON links (account_id);
CREATE INDEX links_by_until ON links (until);

-- The company's own token of each linked palm: the handle for arming and deleting. Gone once the
-- vault has deleted the palm.
CREATE TABLE link_palms (
    link_id TEXT NOT NULL REFERENCES links (id),
    side TEXT NOT NULL,
    company_id TEXT NOT NULL REFERENCES companies (id),
    company_token BYTEA NOT NULL,
    PRIMARY KEY (link_id, side),
    UNIQUE (company_id, company_token)
);

-- What a venue knows a palm by, from the first arming there.
CREATE TABLE venue_tokens (
    venue_id TEXT NOT NULL REFERENCES venues (id),
    token BYTEA NOT NULL,
    link_id TEXT NOT NULL REFERENCES links (id),
    side TEXT NOT NULL,
    PRIMARY KEY (venue_id, token),
    UNIQUE (link_id, side, venue_id)
);

-- What the vault has acknowledged as armed.
CREATE TABLE armings (
    link_id TEXT NOT NULL REFERENCES links (id),
    side TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id),
    until BIGINT NOT NULL,
    PRIMARY KEY (link_id, side, event_id)
);
CREATE INDEX armings_by_event ON armings (event_id);

-- Consent as it was given, never changed but for its withdrawal.
CREATE TABLE consents (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    link_id TEXT REFERENCES links (id),
    text_version TEXT NOT NULL,
    language TEXT NOT NULL,
    purposes TEXT NOT NULL,
    scope TEXT,
    until BIGINT,
    given_at BIGINT NOT NULL,
    withdrawn_at BIGINT
);
CREATE INDEX consents_by_link ON consents (link_id);
CREATE INDEX consents_by_account ON consents (account_id);

-- Every decided attempt. One by palm that matched nothing has no ticket, and nothing of the palm.
CREATE TABLE admissions (
    id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    nonce TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    venue_id TEXT NOT NULL REFERENCES venues (id),
    gate_id TEXT REFERENCES gates (id),
    lane_id TEXT REFERENCES lanes (id),
    event_id TEXT REFERENCES events (id),
    ticket_id TEXT REFERENCES tickets (id),
    method TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    people BIGINT NOT NULL,
    available BIGINT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (device_id, nonce)
);
CREATE INDEX admissions_by_venue ON admissions (venue_id, at);
CREATE INDEX admissions_by_event ON admissions (event_id, at);

-- The one entry of a ticket. The key is what makes it one; `number` is 1 until tickets with
-- several entries exist.
CREATE TABLE entries (
    ticket_id TEXT NOT NULL REFERENCES tickets (id),
    number BIGINT NOT NULL,
    admission_id TEXT NOT NULL REFERENCES admissions (id),
    event_id TEXT NOT NULL REFERENCES events (id),
    link_id TEXT REFERENCES links (id),
    method TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, number)
);
CREATE INDEX entries_by_event ON entries (event_id, at);
CREATE INDEX entries_by_link ON entries (link_id);
CREATE INDEX entries_by_admission ON entries (admission_id);

-- What pedestals report: why a capture came to nothing. No person, no palm.
CREATE TABLE capture_failures (
    device_id TEXT NOT NULL REFERENCES devices (id),
    event_id TEXT REFERENCES events (id),
    reason TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX capture_failures_by_event ON capture_failures (event_id);

CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT,
    created_at BIGINT NOT NULL,
    sent_at BIGINT
);
CREATE INDEX mails_by_recipient ON mails (recipient, created_at);

CREATE TABLE mail_keys (
    key_hash BYTEA PRIMARY KEY,
    purpose TEXT NOT NULL,
    account_id TEXT REFERENCES accounts (id),
    staff_user_id TEXT REFERENCES staff_users (id),
    link_id TEXT REFERENCES links (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX mail_keys_by_expiry ON mail_keys (expires_at);

CREATE TABLE sessions (
    key_hash BYTEA PRIMARY KEY,
    account_id TEXT REFERENCES accounts (id),
    staff_user_id TEXT REFERENCES staff_users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
