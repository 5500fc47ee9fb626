"""aiolake measured beside other ways to keep 10,000 pictures; see README.md."""
