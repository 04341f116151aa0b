//! Events, orders, tickets, codes, admission.
