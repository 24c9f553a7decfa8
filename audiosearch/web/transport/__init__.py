"""Connections and requests: how they arrive, their limits, and who may send them."""
