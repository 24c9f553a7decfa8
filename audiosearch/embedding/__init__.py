"""Files become embeddings, many at a time."""
