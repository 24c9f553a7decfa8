"""Models: log-mel patches become embeddings. Model files, downloads and runtimes."""
