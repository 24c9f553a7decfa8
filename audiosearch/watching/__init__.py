"""Keep an index up to date while files in folders change."""
