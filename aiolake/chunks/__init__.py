"""Samples on storage: packing, locating, planning fetches, reading, prefetching, writing."""
