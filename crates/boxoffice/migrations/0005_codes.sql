-- Which codes tickets of a product are issued with; what was sold before keeps its own.
ALTER TABLE products ADD COLUMN code_kind TEXT NOT NULL DEFAULT 'static';
