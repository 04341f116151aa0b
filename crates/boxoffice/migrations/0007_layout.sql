-- Every attempt to pass asks for its venue's gates and their lanes.
CREATE INDEX gates_by_venue ON gates (venue_id);
CREATE INDEX lanes_by_gate ON lanes (gate_id);
