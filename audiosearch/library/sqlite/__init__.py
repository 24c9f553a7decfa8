"""SQLite database of an index in a folder: tables, migrations, full-text search, page recovery."""
