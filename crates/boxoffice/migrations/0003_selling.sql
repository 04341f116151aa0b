-- Selling: what an order costs and how it is paid, how long its tickets are held, who pays through
-- which register, tickets handed on by mail. And a lane that was revoked remembers it.

-- Until when an unpaid order keeps its tickets from others; without, for as long as it is pending
-- (orders of other systems, and imported ones).
ALTER TABLE orders ADD COLUMN hold_until BIGINT;
ALTER TABLE orders ADD COLUMN amount_minor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN currency TEXT;
-- Where it was sold: 'online', 'window', or nothing for those that came otherwise.
ALTER TABLE orders ADD COLUMN origin TEXT;
-- How it was paid: 'till', 'cash', 'terminal', 'free'.
ALTER TABLE orders ADD COLUMN tender TEXT;
-- The payment that is under way or was made: the register it was asked from, and the request's
-- nonce, by which the till finds it again whatever happened meanwhile.
ALTER TABLE orders ADD COLUMN register_id TEXT REFERENCES devices (id);
ALTER TABLE orders ADD COLUMN payment_nonce TEXT;
ALTER TABLE orders ADD COLUMN payment_tries BIGINT NOT NULL DEFAULT 0;
CREATE INDEX orders_by_payment ON orders (state, payment_nonce);

-- What a ticket cost, so that a refund gives back that much.
ALTER TABLE tickets ADD COLUMN price_minor BIGINT NOT NULL DEFAULT 0;

-- What is given back for a ticket: owed from the moment the ticket is worth nothing, paid out once.
CREATE TABLE ticket_refunds (
    ticket_id TEXT PRIMARY KEY REFERENCES tickets (id),
    order_id TEXT NOT NULL REFERENCES orders (id),
    minor BIGINT NOT NULL,
    at BIGINT NOT NULL,
    paid_at BIGINT
);
CREATE INDEX ticket_refunds_by_order ON ticket_refunds (order_id);

-- A product that is not on sale is sold at the window alone.
ALTER TABLE products ADD COLUMN on_sale BOOLEAN NOT NULL DEFAULT TRUE;

-- Registers that stand nowhere: online orders are paid through them, one at a time each.
CREATE TABLE sales_registers (
    company_id TEXT NOT NULL REFERENCES companies (id),
    device_id TEXT PRIMARY KEY REFERENCES devices (id)
);
CREATE INDEX sales_registers_by_company ON sales_registers (company_id);

-- A key for taking over a ticket.
ALTER TABLE mail_keys ADD COLUMN ticket_id TEXT REFERENCES tickets (id);
ALTER TABLE mail_keys ADD COLUMN recipient TEXT;
CREATE INDEX mail_keys_by_ticket ON mail_keys (ticket_id);

-- In a lane's own database alone: when it heard that it was revoked.
ALTER TABLE lane_state ADD COLUMN revoked_at BIGINT;
