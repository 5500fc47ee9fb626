"""Stores around stores keep the contract."""

from __future__ import annotations

from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.memory import MemoryStore
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler
from aiolake.testing import CountingStore, FakeClock, FaultStore, Rule, StoreContract, Transient


class TestScheduledStore(StoreContract):
    async def make_store(self) -> Store:
        return ScheduledStore(MemoryStore(), Scheduler(Options(max_inflight=4)))


class TestScheduledStoreOverAnUnreliableOne(StoreContract):
    async def make_store(self) -> Store:
        rules = [
            Rule(Transient(), verb, times=None, probability=0.1)
            for verb in ("get", "get_range", "head", "put", "list", "delete")
        ]
        scheduler = Scheduler(Options(max_attempts=20), clock=FakeClock(runs=True))
        return ScheduledStore(FaultStore(MemoryStore(), rules), scheduler)


class TestCountingStore(StoreContract):
    async def make_store(self) -> Store:
        return CountingStore(MemoryStore())


class TestFaultStoreWithoutRules(StoreContract):
    async def make_store(self) -> Store:
        return FaultStore(MemoryStore())
