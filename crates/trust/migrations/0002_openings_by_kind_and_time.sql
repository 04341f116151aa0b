-- The second byte of a leaf is its kind: deletions are looked for at every start, among very many
-- uses. Old openings are looked for by their time. Released: never edit this file.
CREATE INDEX openings_kind ON openings (substr(draft, 2, 1));
CREATE INDEX openings_at ON openings (at);
