from __future__ import annotations

from pathlib import Path

import pytest

from aiolake.stores.base import Store
from aiolake.stores.local import LocalStore
from aiolake.testing import StoreContract


class TestLocalStore(StoreContract):
    n_made = 0

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    async def make_store(self) -> Store:
        self.n_made += 1
        return LocalStore(self.directory / f"{self.n_made}", durability="os")
