"""Backend for an index in a folder: an SQLite database, searched by FAISS."""
