"""FAISS search structures: derived from the database, and rebuilt when needed."""
