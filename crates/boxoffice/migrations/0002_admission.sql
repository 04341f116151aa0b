-- Admission in full: check-in lists with rules, exits and re-entry, groups, questions, annulment,
-- force, presence by area; signed and rotating codes; provisioning and copies of lanes.

ALTER TABLE venues ADD COLUMN utc_offset_minutes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN passing TEXT NOT NULL DEFAULT 'entry';
ALTER TABLE events ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
-- The palm of somebody who came along: it enters with its own ticket alone, confirmed or not.
ALTER TABLE links ADD COLUMN companion BOOLEAN NOT NULL DEFAULT FALSE;
-- What another system, or an imported file, calls the order.
ALTER TABLE orders ADD COLUMN reference TEXT;
CREATE UNIQUE INDEX orders_by_reference ON orders (company_id, reference);
ALTER TABLE tickets ADD COLUMN party_size BIGINT NOT NULL DEFAULT 1;
ALTER TABLE tickets ADD COLUMN valid_from BIGINT;
ALTER TABLE tickets ADD COLUMN valid_until BIGINT;
ALTER TABLE tickets ADD COLUMN addon_to TEXT REFERENCES tickets (id);
ALTER TABLE tickets ADD COLUMN code_kind TEXT NOT NULL DEFAULT 'static';
ALTER TABLE tickets ADD COLUMN code_serial BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN totp_secret BYTEA;
ALTER TABLE tickets ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tickets_by_change ON tickets (changed_at);
CREATE INDEX tickets_by_addon ON tickets (addon_to);
CREATE INDEX orders_by_change ON orders (changed_at);

-- What is sold and how many of it; a ticket's product needs no row here to enter.
CREATE TABLE products (
    event_id TEXT NOT NULL REFERENCES events (id),
    name TEXT NOT NULL,
    price_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    capacity BIGINT,
    attention BOOLEAN NOT NULL,
    note TEXT,
    PRIMARY KEY (event_id, name)
);

-- Who enters an event at which gates, by which rules. One without gates serves all gates that no
-- other list names.
CREATE TABLE check_in_lists (
    id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL REFERENCES events (id),
    name TEXT NOT NULL,
    entry TEXT NOT NULL,
    anti_passback TEXT NOT NULL,
    anti_passback_minutes BIGINT,
    anti_passback_scope TEXT NOT NULL,
    include_unpaid BOOLEAN NOT NULL,
    addon_match BOOLEAN NOT NULL,
    rule TEXT,
    changed_at BIGINT NOT NULL
);
CREATE INDEX check_in_lists_by_event ON check_in_lists (event_id);
CREATE TABLE check_in_list_products (
    list_id TEXT NOT NULL REFERENCES check_in_lists (id),
    product TEXT NOT NULL,
    PRIMARY KEY (list_id, product)
);
CREATE TABLE check_in_list_gates (
    list_id TEXT NOT NULL REFERENCES check_in_lists (id),
    gate_id TEXT NOT NULL REFERENCES gates (id),
    PRIMARY KEY (list_id, gate_id)
);
-- Every event has a list of its own from the start, whose id differs by its prefix alone.
INSERT INTO check_in_lists (id, event_id, name, entry, anti_passback, anti_passback_scope,
                            include_unpaid, addon_match, changed_at)
SELECT 'lst_' || substr(id, 5), id, 'Main', 'single', 'none', 'list', FALSE, FALSE, 0 FROM events;

-- Every passing of people on a ticket. The key is what makes an entry one: whoever decides writes
-- the number after the last it saw, and of two that saw the same one cannot write.
CREATE TABLE passages (
    ticket_id TEXT NOT NULL REFERENCES tickets (id),
    list_id TEXT NOT NULL REFERENCES check_in_lists (id),
    number BIGINT NOT NULL,
    passing TEXT NOT NULL,
    people BIGINT NOT NULL,
    admission_id TEXT NOT NULL REFERENCES admissions (id),
    event_id TEXT NOT NULL REFERENCES events (id),
    area_id TEXT REFERENCES areas (id),
    link_id TEXT REFERENCES links (id),
    method TEXT NOT NULL,
    at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    annulled_at BIGINT,
    PRIMARY KEY (ticket_id, list_id, number)
);
INSERT INTO passages (ticket_id, list_id, number, passing, people, admission_id, event_id, area_id,
                      link_id, method, at, changed_at)
SELECT n.ticket_id, 'lst_' || substr(n.event_id, 5), n.number, 'entry', 1, n.admission_id,
       n.event_id, g.area_id, n.link_id, n.method, n.at, n.at
FROM entries n
JOIN admissions a ON a.id = n.admission_id
LEFT JOIN gates g ON g.id = a.gate_id;
DROP TABLE entries;
CREATE INDEX passages_by_event ON passages (event_id, at);
CREATE INDEX passages_by_link ON passages (link_id);
CREATE INDEX passages_by_admission ON passages (admission_id);
CREATE INDEX passages_by_change ON passages (changed_at);

ALTER TABLE admissions ADD COLUMN passing TEXT NOT NULL DEFAULT 'entry';
ALTER TABLE admissions ADD COLUMN list_id TEXT REFERENCES check_in_lists (id);
ALTER TABLE admissions ADD COLUMN note TEXT;
ALTER TABLE admissions ADD COLUMN offline BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE admissions ADD COLUMN forced_by TEXT REFERENCES staff_users (id);
ALTER TABLE admissions ADD COLUMN forced_reason TEXT;
ALTER TABLE admissions ADD COLUMN annulled_at BIGINT;
ALTER TABLE admissions ADD COLUMN annulled_reason TEXT;
CREATE INDEX admissions_by_ticket ON admissions (ticket_id, at);

-- What is asked before somebody enters, and what was answered.
CREATE TABLE questions (
    id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL REFERENCES events (id),
    product TEXT,
    text TEXT NOT NULL,
    kind TEXT NOT NULL,
    choices TEXT NOT NULL,
    required BOOLEAN NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX questions_by_event ON questions (event_id);
CREATE TABLE answers (
    ticket_id TEXT NOT NULL REFERENCES tickets (id),
    question_id TEXT NOT NULL REFERENCES questions (id),
    answer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, question_id)
);

-- From `at` on, nobody that a row names counts as inside; a time to come is a schedule.
-- Who said so, and why, is among the staff actions.
CREATE TABLE presence_resets (
    event_id TEXT NOT NULL REFERENCES events (id),
    ticket_id TEXT,
    area_id TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX presence_resets_by_event ON presence_resets (event_id, at);

-- Every staff action, never changed.
CREATE TABLE staff_actions (
    number BIGINT NOT NULL,
    company_id TEXT NOT NULL REFERENCES companies (id),
    staff_user_id TEXT NOT NULL REFERENCES staff_users (id),
    second_user_id TEXT REFERENCES staff_users (id),
    action TEXT NOT NULL,
    event_id TEXT REFERENCES events (id),
    ticket_id TEXT REFERENCES tickets (id),
    admission_id TEXT REFERENCES admissions (id),
    device_id TEXT REFERENCES devices (id),
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (company_id, number)
);

-- A company's keys for signed codes.
CREATE TABLE signing_keys (
    key_id BYTEA PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (id),
    seed BYTEA,
    public_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);
-- The keys by which another system, pretix, signs the codes of an event's tickets.
CREATE TABLE foreign_keys (
    event_id TEXT NOT NULL REFERENCES events (id),
    public_key BYTEA NOT NULL,
    PRIMARY KEY (event_id, public_key)
);

-- A device to be provisioned by a code that is shown once and used once.
CREATE TABLE device_invitations (
    code_hash BYTEA PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

-- A passage that one staff user wants taken back, until a second agrees.
CREATE TABLE corrections (
    admission_id TEXT PRIMARY KEY REFERENCES admissions (id),
    staff_user_id TEXT NOT NULL REFERENCES staff_users (id),
    reason TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- What a lane that decides from its own copy said of itself when it was last heard.
CREATE TABLE lane_reports (
    device_id TEXT PRIMARY KEY REFERENCES devices (id),
    copied_until BIGINT NOT NULL,
    queued BIGINT NOT NULL,
    offline_since BIGINT,
    clock_ahead_micros BIGINT NOT NULL,
    at BIGINT NOT NULL
);

-- In a lane's own database alone: how far its copy is, and what the hub has got of its attempts.
CREATE TABLE lane_state (
    device_id TEXT PRIMARY KEY REFERENCES devices (id),
    copied_until BIGINT NOT NULL,
    offline_since BIGINT,
    ahead_micros BIGINT NOT NULL
);
CREATE TABLE lane_sent (
    admission_id TEXT PRIMARY KEY REFERENCES admissions (id)
);
