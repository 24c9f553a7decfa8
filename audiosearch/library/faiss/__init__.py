"""FAISS indexes: derived from the database's vectors, and rebuilt when needed."""
