"""A test kit for stores and for code that uses them; the package itself imports nothing of it."""

from aiolake.testing.cancel import cancel_at_each_step
from aiolake.testing.clock import FakeClock
from aiolake.testing.contract import StoreContract
from aiolake.testing.counting import CountingStore, Counts, Request, kind_of
from aiolake.testing.filesystem import FileSystemCall, RecordingFileSystem

__all__ = [
    "CountingStore",
    "Counts",
    "FakeClock",
    "FileSystemCall",
    "RecordingFileSystem",
    "Request",
    "StoreContract",
    "cancel_at_each_step",
    "kind_of",
]
