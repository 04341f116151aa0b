-- What was last logged of a rule (its byte in a leaf) at a place (a label), or of the nodes' shares
-- (rule 0, no place): whatever differs from it is logged. Released: never edit this file.
CREATE TABLE logged_values (
    rule  BIGINT NOT NULL,
    place BYTEA  NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (rule, place)
);
