"""Format v1: bytes <-> values, pure. The published specification is docs/spec/v1.md."""
