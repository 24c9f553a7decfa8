"""Files into an index: add and reembed."""
