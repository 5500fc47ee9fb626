"""``aiolake doctor``: what works at an address, how fast, and what to do about the rest."""
