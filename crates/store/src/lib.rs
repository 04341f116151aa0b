//! Connections, migrations, named transactions on SQLite and PostgreSQL.
