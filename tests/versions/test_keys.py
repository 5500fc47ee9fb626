"""The index of keys, against a dict: whatever runs it becomes, it finds the newest record."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import CorruptDataError, FormatError
from aiolake.format import keys as layout
from aiolake.format.keys import GONE, KeyIndex, Records, decode_run, records_of, run_key
from aiolake.ranges import Runs
from aiolake.versions import keys as indexing
from aiolake.versions.blobs import Spill
from aiolake.versions.keys import (
    Hashes,
    NoCache,
    compacted,
    find_key_now,
    find_keys,
    runs_to_merge,
    spill_keys,
)
from tests.versions.model import Model

Key = tuple[int, int]
# Few first halves, so that ties are met; the ends of the range, where numbers overflow.
KEYS = st.tuples(st.sampled_from([0, 1, 2, 1 << 63, (1 << 64) - 1]), st.integers(0, 6))
COMMITS = st.lists(st.dictionaries(KEYS, st.one_of(st.none(), st.integers(0, 99)), min_size=1))


class DictCache:
    """Remembers everything."""

    def __init__(self) -> None:
        self.values: dict[object, object] = {}

    def get(self, key: object) -> object:
        return self.values.get(key)

    def put(self, key: object, value: object, nbytes: int) -> None:
        self.values[key] = value


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that a handful of records makes runs of several blocks."""
    monkeypatch.setattr(layout, "BLOCK_RECORDS", 3)
    monkeypatch.setattr(indexing, "BLOCK_RECORDS", 3)
    monkeypatch.setattr(indexing, "INLINE_BYTES", 24)
    monkeypatch.setattr(indexing, "WHOLE_RECORDS", 4)
    monkeypatch.setattr(indexing, "HELD_RECORDS", 8)
    monkeypatch.setattr(indexing, "GROWTH", 2)


def hashes(keys: Iterable[Key]) -> Hashes:
    table = np.asarray([*keys], np.uint64).reshape(-1, 2)
    return Hashes(table[:, 0], table[:, 1])


def records(rows: dict[Key, int | None]) -> Records:
    of = hashes(rows)
    ids = [GONE if row is None else row for row in rows.values()]
    return records_of(of.high, of.low, np.asarray(ids, np.uint64))


def add(model: Model, index: KeyIndex, rows: dict[Key, int | None], cache: object) -> KeyIndex:
    spill = Spill(1, model.new_id)
    index = model.run(spill_keys(index, records(rows), spill, cache))  # type: ignore[arg-type]
    model.objects.update(dict(spill.objects))
    return index


ALL = [(high, low) for high in (0, 1, 2, 1 << 63, (1 << 64) - 1) for low in range(7)]


def found(model: Model, index: KeyIndex, keys: list[Key], cache: object) -> list[int | None]:
    rows = model.run(find_keys(index, hashes(keys), cache))  # type: ignore[arg-type]
    return [None if row == GONE else int(row) for row in rows.tolist()]


@given(commits=COMMITS, cached=st.booleans())
def test_it_is_a_dict(commits: list[dict[Key, int | None]], cached: bool) -> None:
    model, index, cache = Model(), KeyIndex(), DictCache() if cached else NoCache()
    expected: dict[Key, int | None] = {}
    for commit in commits:
        index = add(model, index, commit, cache)
        expected.update(commit)
        assert found(model, index, ALL, cache) == [expected.get(key) for key in ALL]
    for key in ALL:
        assert found(model, index, [key], cache) == [expected.get(key)]
        now = find_key_now(index, *key, cache)
        row = expected.get(key)
        assert now in ((None,) if not cached else ()) + (GONE if row is None else row,)


@given(commits=COMMITS, seed=st.integers(0, 99))
def test_compacting_leaves_one_run_of_the_rows_there_are(
    commits: list[dict[Key, int | None]], seed: int
) -> None:
    model, index = Model(), KeyIndex()
    expected: dict[Key, int | None] = {}
    for commit in commits:
        index = add(model, index, commit, NoCache())
        expected.update(commit)
    rows = Runs.from_ids(sorted(random.Random(seed).sample(range(100), 50)))
    spill = Spill(1, model.new_id)
    index = model.run(compacted(index, rows, spill, NoCache()))
    model.objects.update(dict(spill.objects))
    live = {k: row for k, row in expected.items() if row is not None and rows.positions(
        np.asarray([row]))[0] >= 0}  # fmt: skip
    assert found(model, index, ALL, NoCache()) == [live.get(key) for key in ALL]
    n_stored = sum(run.n for run in index.runs) + len(index.inline) // 24
    assert n_stored == len(live)
    assert len(index.runs) <= 1


def test_ten_thousand_small_commits_rewrite_each_record_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    model, index, cache = Model(), KeyIndex(), DictCache()
    written = 0
    for i in range(10_000):
        before = set(model.objects)
        index = add(model, index, {(i * 0x9E3779B97F4A7C15 % (1 << 64), 0): i}, cache)
        written += sum(len(model.objects[key]) for key in model.objects.keys() - before)
    assert len(index.runs) <= 9
    assert written < 10 * 24 * 10_000
    assert len(index.inline) <= 2048
    keys = [(i * 0x9E3779B97F4A7C15 % (1 << 64), 0) for i in range(10_000)]
    assert found(model, index, keys, NoCache()) == list(range(10_000))


def test_the_oldest_run_is_merged_when_the_others_are_an_eighth_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    sizes: list[int] = []
    written = n = 0
    for _ in range(400):  # bulk after bulk
        runs = [layout.KeyRun(1, "a" * 26, size, 0) for size in sizes]
        n_merged = runs_to_merge(runs, 50_000)
        kept, merged = sizes[: len(sizes) - n_merged], sizes[len(sizes) - n_merged :]
        sizes = [*kept, 50_000 + sum(merged)]
        written += sizes[-1]
        n += 50_000
        assert sum(sizes[1:]) <= max(65_536, sizes[0] // 8) + 50_000
        assert sum(sizes) == n
    assert written < 16 * n


def test_a_lookup_reads_one_block_of_the_oldest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    model, cache = Model(), DictCache()
    rng = np.random.default_rng(1)
    n = 200_000
    high, low = rng.integers(0, 1 << 64, (2, n), np.uint64)
    spill = Spill(1, model.new_id)
    run = spill.run(records_of(high, low, np.arange(n, dtype=np.uint64)))
    model.objects.update(dict(spill.objects))
    index = KeyIndex((run,))
    keys = list(zip(high.tolist(), low.tolist(), strict=True))
    assert found(model, index, keys[:1], cache) == [0]
    for i in range(1, 50):
        model.counts.clear()
        assert found(model, index, [keys[i]], cache) == [i]
        assert model.counts.get("ReadRanges", 0) <= 1
    model.counts.clear()
    assert found(model, index, keys, cache) == list(range(n)), "all of them: block by block, once"
    assert model.counts["ReadRanges"] == 1


def test_damage_is_named() -> None:
    model = Model()
    index = add(model, KeyIndex(), dict.fromkeys(ALL, 1), NoCache())
    (run,) = index.runs
    data = model.objects[run_key(run)]
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(CorruptDataError):
            decode_run(bytes(broken), run)
    with pytest.raises((CorruptDataError, FormatError)):
        decode_run(data[:-24], run)
