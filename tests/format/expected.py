"""Golden datasets: where they lie, and the values expected of them, as JSON beside them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from aiolake import ColumnType
from tests.format.scenario import Model

ROOT = Path(__file__).parent / "golden" / "v1"
CHECKSUMS = ROOT.with_suffix(".sha256")


def save(path: Path, models: Mapping[int, Model], names: Mapping[str, Mapping[str, int]]) -> None:
    """Write what every snapshot must hold, and what branches and tags name."""
    snapshots = {
        str(n): {
            "types": msgspec.to_builtins(model.types),
            "metadata": model.metadata,
            "key": model.key,
            "values": {name: [_cell(v) for v in model.column(name)] for name in model.types},
        }
        for n, model in models.items()
    }
    expected = {"names": names, "snapshots": snapshots}
    path.write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> tuple[dict[int, Model], dict[str, dict[str, int]]]:
    """What ``save`` wrote; the values of its models are canonical already."""
    expected = json.loads(path.read_text(encoding="utf-8"))
    models: dict[int, Model] = {}
    for n, snapshot in expected["snapshots"].items():
        types = msgspec.convert(snapshot["types"], dict[str, ColumnType])
        columns = {k: [_value(cell) for cell in cells] for k, cells in snapshot["values"].items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        models[int(n)] = GoldenModel(types, rows, snapshot["metadata"], snapshot["key"])
    return models, expected["names"]


class GoldenModel(Model):
    """A model of canonical values."""

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def _cell(value: Any) -> Any:
    """A canonical value as JSON; everything but a plain JSON value says what it is."""
    if isinstance(value, list):
        return {"items": [_cell(item) for item in value]}
    if isinstance(value, tuple):
        return {"shape": value[0], "bytes": _text(value[1])}
    if isinstance(value, bytes):
        return {"bytes": _text(value)}
    return None if value is None else {"json": value}


def _value(cell: Any) -> Any:
    if cell is None or "json" in cell:
        return cell and cell["json"]
    if "items" in cell:
        return [_value(item) for item in cell["items"]]
    data = base64.b64decode(cell["bytes"])
    return (tuple(cell["shape"]), data) if "shape" in cell else data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
