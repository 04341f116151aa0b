-- What opens a leaf, kept for whom the leaf is about. Released: never edit this file.
-- `draft` is the leaf as it was first put together (its time may differ in the log).
-- `position` is empty while the log has not promised the leaf: it is owed, and carried later; had
-- it got into the log just before a crash, it is there at `looked_from` or after.
CREATE TABLE openings (
    commitment     BYTEA  NOT NULL PRIMARY KEY,
    link_id        TEXT   NOT NULL,
    position       BIGINT,
    looked_from    BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    draft          BYTEA  NOT NULL,
    blind          BYTEA  NOT NULL,
    private_fields BYTEA  NOT NULL
);
CREATE UNIQUE INDEX openings_position ON openings (position);
CREATE INDEX openings_link ON openings (link_id, at);
