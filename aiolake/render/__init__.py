"""Samples as pictures and HTML."""
