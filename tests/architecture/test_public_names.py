"""The package's public names are loaded lazily, and all of them are there."""

from __future__ import annotations

import aiolake


def test_every_public_name_resolves_to_what_bears_it() -> None:
    for name in aiolake.__all__:
        value = getattr(aiolake, name)
        assert getattr(value, "__name__", name) == name or name == "ColumnType", name
    assert set(aiolake.__all__) == set(aiolake._MODULE_OF)
    assert set(aiolake.__all__) <= set(dir(aiolake))
