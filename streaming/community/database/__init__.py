"""Where the community's tables are: a file of SQLite, or a database of PostgreSQL."""
