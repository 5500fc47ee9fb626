"""Stores: one flat namespace of objects per root, and the one scheduler all requests pass."""
