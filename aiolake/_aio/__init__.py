"""Tasks and their owners, shields, forks, threads: the only place that starts tasks."""

from aiolake._aio.answers import run_asking
from aiolake._aio.clock import Clock, SystemClock
from aiolake._aio.daemon import Daemon
from aiolake._aio.deadline import Deadline, Deadlines
from aiolake._aio.fork import generation, keep_for_ever, keep_in_child, on_child, random_source
from aiolake._aio.guard import Guard
from aiolake._aio.opening import Closeable, Opening
from aiolake._aio.pace import Pace
from aiolake._aio.pool import WorkPool
from aiolake._aio.portal import Portal
from aiolake._aio.registry import LoopRegistry
from aiolake._aio.shield import finish
from aiolake._aio.single_flight import SingleFlight
from aiolake._aio.tasks import Tasks, map_concurrently

__all__ = [
    "Clock",
    "Closeable",
    "Daemon",
    "Deadline",
    "Deadlines",
    "Guard",
    "LoopRegistry",
    "Opening",
    "Pace",
    "Portal",
    "SingleFlight",
    "SystemClock",
    "Tasks",
    "WorkPool",
    "finish",
    "generation",
    "keep_for_ever",
    "keep_in_child",
    "map_concurrently",
    "on_child",
    "random_source",
    "run_asking",
]
