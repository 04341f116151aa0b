-- What was last logged of a rule is what the log itself says, so that no crash between the two makes
-- one change two. Released: never edit this file.
DROP TABLE logged_values;
