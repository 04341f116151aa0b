-- One register a company, at which all its online orders are booked, in one currency. The registers of
-- before stay where their charges name them; no page lists either.
CREATE TABLE sales_desks (
    company_id TEXT PRIMARY KEY REFERENCES companies (id),
    device_id TEXT NOT NULL UNIQUE REFERENCES devices (id),
    currency TEXT NOT NULL
);
INSERT INTO sales_desks (company_id, device_id, currency)
SELECT s.company_id, MIN(s.device_id),
       (SELECT MIN(p.currency) FROM products p JOIN events e ON e.id = p.event_id
        WHERE e.company_id = s.company_id AND p.price_minor > 0)
FROM sales_registers s
WHERE EXISTS (SELECT 1 FROM products p JOIN events e ON e.id = p.event_id
              WHERE e.company_id = s.company_id AND p.price_minor > 0)
GROUP BY s.company_id;

-- When the payment that is under way was begun: what never arrived at the till is given up later.
ALTER TABLE orders ADD COLUMN payment_begun_at BIGINT;
-- What was asked for, so that another request under the same nonce is told from a repetition.
ALTER TABLE orders ADD COLUMN asked TEXT;

-- Of a ticket's price, what was paid through the till: an exchange may take the rest by hand, and
-- only what the till took can go back through it.
ALTER TABLE tickets ADD COLUMN till_minor BIGINT NOT NULL DEFAULT 0;
UPDATE tickets SET till_minor = price_minor
WHERE order_id IN (SELECT id FROM orders WHERE tender = 'till');
-- What is given back beside `minor`, by hand at the window, at once.
ALTER TABLE ticket_refunds ADD COLUMN hand_minor BIGINT NOT NULL DEFAULT 0;
-- When the gateway refused to give it back: it stays owed, and is not tried again.
ALTER TABLE ticket_refunds ADD COLUMN refused_at BIGINT;

CREATE INDEX ticket_refunds_open ON ticket_refunds (at) WHERE paid_at IS NULL;
CREATE INDEX tickets_by_product ON tickets (event_id, product);
CREATE INDEX mail_keys_by_recipient ON mail_keys (recipient, created_at);
CREATE INDEX mail_keys_by_account ON mail_keys (account_id, created_at);
