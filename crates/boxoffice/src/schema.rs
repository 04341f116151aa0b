//! The box office's tables, step by step.

use handfast_store::{Migration, Migrations};

/// All released steps. A step never changes once released; the next one corrects it.
pub(crate) const MIGRATIONS: Migrations = Migrations {
    service: "boxoffice",
    steps: &[
        Migration {
            version: 1,
            name: "first tables",
            sql: include_str!("../migrations/0001_first_tables.sql"),
        },
        Migration {
            version: 2,
            name: "admission in full",
            sql: include_str!("../migrations/0002_admission.sql"),
        },
        Migration {
            version: 3,
            name: "selling",
            sql: include_str!("../migrations/0003_selling.sql"),
        },
        Migration {
            version: 4,
            name: "sales desks",
            sql: include_str!("../migrations/0004_sales_desk.sql"),
        },
        Migration {
            version: 5,
            name: "codes by product",
            sql: include_str!("../migrations/0005_codes.sql"),
        },
        Migration {
            version: 6,
            name: "age and approvals",
            sql: include_str!("../migrations/0006_age_and_approvals.sql"),
        },
        Migration {
            version: 7,
            name: "gates by venue",
            sql: include_str!("../migrations/0007_layout.sql"),
        },
    ],
};
