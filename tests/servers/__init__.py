"""Real servers the tests start: how they are built, run, and reached.

``environments`` builds each server once into a cache directory, ``processes`` runs it so that it
cannot outlive the tests, one module per kind of server says how, and ``fixtures`` gives them to
every test by name.
"""
