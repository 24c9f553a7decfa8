"""Tables, migrations, full-text search and recovery: the truth of an index in a folder."""
