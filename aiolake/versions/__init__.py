"""The log of a dataset: heads, commits, conflicts, names, time, expiry and collection.

What is decided is decided in synchronous generators (see ``steps``) which the async driver in
``log`` executes on a store, and which the schedule simulator in the tests executes on a model.
"""
