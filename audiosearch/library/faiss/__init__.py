"""FAISS indexes: built from the vectors in the database, and rebuilt when needed."""
