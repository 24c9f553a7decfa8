"""Similar tracks, query vectors, duplicates, and evaluation by labels."""
