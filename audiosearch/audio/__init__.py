"""A file becomes one embedding; knows nothing of storage."""
