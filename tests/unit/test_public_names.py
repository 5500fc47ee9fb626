"""The package's public names are loaded lazily, and all of them are there."""

from __future__ import annotations

from types import ModuleType

import aiolake


def test_every_public_name_resolves_to_what_bears_it() -> None:
    for name in aiolake.__all__:
        value = getattr(aiolake, name)
        assert getattr(value, "__name__", name) == name or name == "ColumnType", name
    assert set(aiolake.__all__) == set(aiolake._MODULE_OF)
    assert set(aiolake.__all__) <= set(dir(aiolake))


def test_completion_offers_nothing_else() -> None:
    offered = {name for name in dir(aiolake) if not name.startswith("_")}
    modules = {name for name in offered if isinstance(getattr(aiolake, name), ModuleType)}
    assert offered - modules <= set(aiolake.__all__)
