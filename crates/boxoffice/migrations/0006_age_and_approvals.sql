-- Whether the owner of a palm was said to be of age or has a guardian's consent, by whom and when:
-- nobody's date of birth or age is kept. Released: never edit this file.
ALTER TABLE consents ADD COLUMN age_said TEXT;
ALTER TABLE consents ADD COLUMN age_said_by TEXT;
ALTER TABLE consents ADD COLUMN age_said_at BIGINT;

-- The youngest age, in years, at which palms are linked at a venue; empty is the law's.
ALTER TABLE venues ADD COLUMN minimum_age INTEGER;

-- A guardian lets whoever has this ticket link a palm. It holds as long as the ticket stays with the
-- account that had it then.
CREATE TABLE guardian_consents (
    ticket_id TEXT PRIMARY KEY REFERENCES tickets (id),
    holder_id TEXT NOT NULL REFERENCES accounts (id),
    -- Who of the staff took it down at the window; empty where the holder gave it in the portal.
    staff_user_id TEXT REFERENCES staff_users (id),
    text_version TEXT NOT NULL,
    language TEXT NOT NULL,
    given_at BIGINT NOT NULL
);

-- What one of the staff asks for and another has to approve.
CREATE TABLE approvals (
    company_id TEXT NOT NULL REFERENCES companies (id),
    number BIGINT NOT NULL,
    act TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_by TEXT NOT NULL REFERENCES staff_users (id),
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    decided_by TEXT REFERENCES staff_users (id),
    decided_at BIGINT,
    PRIMARY KEY (company_id, number)
);
