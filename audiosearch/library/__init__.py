"""What is kept: tracks, vectors and settings; knows nothing of sound."""
