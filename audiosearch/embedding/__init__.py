"""From audio files to embeddings, one at a time or many at a time."""
