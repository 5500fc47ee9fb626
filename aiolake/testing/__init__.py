"""A test kit for stores and for code that uses them; the package itself imports nothing of it."""

from aiolake.testing.cancel import cancel_at_each_step
from aiolake.testing.clock import FakeClock
from aiolake.testing.contract import StoreContract
from aiolake.testing.counting import CountingStore, Counts, Request, kind_of
from aiolake.testing.faults import FaultStore, SimulatedCrashError
from aiolake.testing.filesystem import FileSystemCall, RecordingFileSystem
from aiolake.testing.proxy import FaultProxy
from aiolake.testing.proxy_rules import (
    Answered,
    ClosedInside,
    Dated,
    Delayed,
    Flipped,
    Lost,
    ProxyRule,
    ResetBefore,
    ResetInside,
    Rewritten,
    Stalled,
    Stripped,
)
from aiolake.testing.rules import (
    Crash,
    Fault,
    FlipBit,
    IgnoreCreateOnly,
    LandsLater,
    Latency,
    LostAnswer,
    NoListing,
    Refuse,
    Rule,
    Script,
    StaleListing,
    Throttle,
    Transient,
    Truncate,
    Unordered,
)

__all__ = [
    "Answered",
    "ClosedInside",
    "CountingStore",
    "Counts",
    "Crash",
    "Dated",
    "Delayed",
    "FakeClock",
    "Fault",
    "FaultProxy",
    "FaultStore",
    "FileSystemCall",
    "FlipBit",
    "Flipped",
    "IgnoreCreateOnly",
    "LandsLater",
    "Latency",
    "Lost",
    "LostAnswer",
    "NoListing",
    "ProxyRule",
    "RecordingFileSystem",
    "Refuse",
    "Request",
    "ResetBefore",
    "ResetInside",
    "Rewritten",
    "Rule",
    "Script",
    "SimulatedCrashError",
    "StaleListing",
    "Stalled",
    "StoreContract",
    "Stripped",
    "Throttle",
    "Transient",
    "Truncate",
    "Unordered",
    "cancel_at_each_step",
    "kind_of",
]
