"""What a log must be, judged from its bytes alone: nothing here uses the shipped code.

Each entry that lands is replayed on dicts and lists, from what its author said it was to do, and
compared with what an independent reader finds in the store.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zstandard

Cell = bytes | None
Doc = Mapping[str, Any]
_decode = msgspec.json.decode


class Violation(AssertionError):
    """The log broke a promise; ``rule`` names it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


@dataclass(slots=True)
class Op:
    """What an actor set out to do, in its own words; ``label`` finds it again in the log."""

    label: str
    write_id: str
    kind: str
    opened: int = 0
    branch: str = "main"
    shared_id: bool = False
    appended: list[dict[int, Cell]] = field(default_factory=list)
    updates: list[tuple[int, int, Cell]] = field(default_factory=list)
    deleted: tuple[int, ...] = ()
    added: list[tuple[str, Cell]] = field(default_factory=list)
    renamed: dict[int, str] = field(default_factory=dict)
    dropped: tuple[int, ...] = ()
    metadata: dict[str, int] = field(default_factory=dict)
    optimized: bool = False
    name: str = ""
    target: int | None = None
    expected: int | None = None
    below: int | None = None
    source: str = ""

    @property
    def only_appends(self) -> bool:
        """Whether it would be right on any content."""
        return not (
            self.updates or self.deleted or self.added or self.renamed or self.dropped
            or self.metadata or self.optimized
        )  # fmt: skip


@dataclass(slots=True)
class Content:
    """A snapshot: rows in order, cells, columns, metadata; and which entry last touched what."""

    rows: list[int] = field(default_factory=list)
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    columns: dict[int, tuple[str, Cell]] = field(default_factory=dict)
    metadata: dict[str, int] = field(default_factory=dict)
    touched: dict[object, int] = field(default_factory=dict)
    restored: int = 0
    changed: int = 0
    optimized: int = 0
    brought_from: int = 0
    left_out: frozenset[int] = frozenset()

    def copy(self) -> Content:
        """One to change."""
        return Content(
            list(self.rows), dict(self.cells), dict(self.columns), dict(self.metadata),
            dict(self.touched), self.restored, self.changed, self.optimized, 0, self.left_out,
        )  # fmt: skip

    def same(self, other: Content) -> bool:
        """Whether a reader would see the same."""
        return (
            self.rows == other.rows
            and self.cells == other.cells
            and list(self.columns.items()) == list(other.columns.items())
            and self.metadata == other.metadata
        )


@dataclass(slots=True)
class Deed:
    """What a commit did, for merges: ids given and removed, cells, columns and keys set."""

    parents: tuple[int, ...] = ()
    given: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    updated: set[tuple[int, int]] = field(default_factory=set)
    added: set[int] = field(default_factory=set)
    reshaped: set[int] = field(default_factory=set)
    metadata: set[str] = field(default_factory=set)
    restored: bool = False
    merge: bool = False


def _all_of(deeds: Mapping[int, Deed], n: int) -> set[int]:
    """A snapshot and all it comes from."""
    found: set[int] = set()
    todo = [n]
    while todo:
        at = todo.pop()
        if at not in found:
            found.add(at)
            todo += deeds[at].parents
    return found


def _together(deeds: Iterable[Deed]) -> Deed:
    out = Deed()
    for deed in deeds:
        out.restored |= deed.restored
        out.reshaped |= deed.reshaped
        out.given |= deed.given
        out.removed |= deed.removed
        out.updated |= deed.updated
        out.added |= deed.added
        out.metadata |= deed.metadata
    out.removed -= out.given
    out.updated = {cell for cell in out.updated if cell[0] not in out.given}
    return out


def merged(oracle: Oracle, n: int, ours_n: int, theirs_n: int) -> Content:
    """Our content with what the commits that only theirs comes from did."""
    ours, theirs = oracle.contents[ours_n], oracle.contents[theirs_n]
    mine, other = _all_of(oracle.deeds, ours_n), _all_of(oracle.deeds, theirs_n)
    did = _together(oracle.deeds[k] for k in other - mine)
    we = _together(oracle.deeds[k] for k in mine - other)
    if not mine - other:
        content = theirs.copy()
        content.touched = {**ours.touched, **dict.fromkeys(_touched(did), n)}
        content.restored = n if did.restored else ours.restored
        content.brought_from = len(content.rows)
        return content
    touched = {row for row, _ in we.updated} | we.removed
    clash = {row for row, _ in did.updated} & touched
    clash |= did.removed & {row for row, _ in we.updated}
    clash |= {-1} if did.restored or we.restored or did.reshaped else set()
    if clash or did.metadata & we.metadata:
        raise Violation("no update is lost", f"entry {n} merges what clashes: {clash}")
    content = ours.copy()
    _merge_columns(content, theirs, did)
    content.rows = [row for row in content.rows if row not in did.removed]
    content.brought_from = len(content.rows)
    known = set(ours.rows)
    for row in theirs.rows:
        if row in did.given and row not in known:
            content.rows.append(row)
            for column, (_, default) in content.columns.items():
                content.cells[row, column] = theirs.cells.get((row, column), default)
    for row, column in did.updated:
        if row in set(content.rows) and column in content.columns:
            content.cells[row, column] = theirs.cells[row, column]
    present = set(content.rows)
    content.cells = {key: cell for key, cell in content.cells.items() if key[0] in present}
    content.touched.update(dict.fromkeys(_touched(did), n))
    return content


def _merge_columns(content: Content, theirs: Content, did: Deed) -> None:
    for column in did.added:
        if column in theirs.columns:
            name, default = theirs.columns[column]
            content.columns[column] = (name, default)
            for row in content.rows:
                content.cells[row, column] = theirs.cells.get((row, column), default)
    for key in did.metadata:
        content.metadata[key] = theirs.metadata[key]


def _touched(did: Deed) -> set[object]:
    cells: set[object] = {row for row, _ in did.updated} | did.removed
    columns: set[object] = {("values", column) for _, column in did.updated}
    shaped: set[object] = {("column", column) for column in did.reshaped}
    return cells | columns | shaped | {("key", key) for key in did.metadata}


class Reader:
    """Reads snapshots from stored bytes by the published layout."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = objects
        self._pieces: dict[str, tuple[tuple[str, ...], list[tuple[int, str, int, int]]]] = {}

    def blob(self, ref: Doc) -> Any:
        """A value in ``lists/``."""
        return _decode(zstandard.decompress(self._object(_key("lists", ref))))

    def _object(self, key: str) -> bytes:
        data = self.objects.get(key)
        if data is None:
            raise Violation("an entry misses an object", key)
        return data

    def refs(self, doc: Doc) -> tuple[dict[str, int], dict[str, int]]:
        """The branches and tags after an entry."""
        refs = doc["refs"]
        below = self.blob(refs["listed"]) if "listed" in refs else {}
        tables = []
        for name in ("branches", "tags"):
            table = {**below.get(name, {}), **refs.get(name, {})}
            tables.append({key: n for key, n in table.items() if n is not None})
        return tables[0], tables[1]

    def pieces(self, snapshot: Doc) -> Iterator[Doc]:
        """Pieces, oldest first."""
        for ref in snapshot.get("lists", ()):
            data = self._object(_key("lists", ref))
            for _, start, stop, _, _, _ in ref["segments"]:
                body = data[ref["header"] + start : ref["header"] + stop]
                yield from _decode(zstandard.decompress(body))
        yield from snapshot.get("pieces", ())

    def needs(self, doc: Doc) -> frozenset[str]:
        """Keys of all objects an entry needs."""
        effects, snapshot = doc["operation"]["effects"], doc["snapshot"] or {}
        blobs = [doc["refs"].get("listed"), effects.get("updated"), effects.get("deleted")]
        blobs += [snapshot.get("listed_description"), snapshot.get("rows", {}).get("listed")]
        blobs += snapshot.get("keys", {}).get("runs", ())
        found = {_key("lists", blob) for blob in blobs if isinstance(blob, dict)}
        found.update(_key("lists", ref) for ref in snapshot.get("lists", ()))
        for piece in self.pieces(snapshot):
            found.update(self._parsed(piece)[0])
        return frozenset(found)

    def description(self, snapshot: Doc) -> Doc:
        """What a snapshot's columns are."""
        listed = snapshot.get("listed_description")
        found: Doc = snapshot["description"] if listed is None else self.blob(listed)
        return found

    def key_rows(self, snapshot: Doc) -> dict[int, int]:
        """The row that the index has for each key (the second half of its hash)."""
        index = snapshot["keys"]
        blocks = [base64.b64decode(index.get("inline", ""))]
        for run in reversed(index.get("runs", ())):
            data, n = self._object(_key("lists", run)), run["n"]
            body = data[20 * -(-n // 1024) :]
            blocks += [body[at : at + 24 * 1024] for at in range(0, 24 * n, 24 * 1024)]
        rows: dict[int, int] = {}
        for block in blocks:  # the newest first
            k = len(block) // 24
            numbers = struct.unpack(f"<{3 * k}Q", block)
            for low, row in zip(numbers[k : 2 * k], numbers[2 * k :], strict=True):
                rows.setdefault(low, row)
        return rows

    def content(self, doc: Doc) -> Content:
        """Everything a snapshot holds."""
        snapshot = doc["snapshot"]
        description = self.description(snapshot)
        columns = {
            column["id"]: (column["name"], _payload(column.get("default", {})))
            for column in description["schema"]["columns"]
        }
        rows = self._rows(snapshot["rows"])
        cells: dict[tuple[int, int], Cell] = {}
        present = set(rows)
        for piece in self.pieces(snapshot):
            if piece["c"] in columns:
                self._fill(piece, present, cells)
        metadata = description.get("metadata", {})
        return Content(rows, cells, columns, metadata)

    def _rows(self, runs: Doc) -> list[int]:
        listed = self.blob(runs["listed"]) if "listed" in runs else []
        return list(_ids([*listed, *runs.get("tail", ())]))

    def _fill(self, piece: Doc, present: set[int], cells: dict[tuple[int, int], Cell]) -> None:
        column = piece["c"]
        if "v" in piece:
            value = _payload(piece["v"])
            cells.update({(row, column): value for row in _ids(piece["r"]) if row in present})
            return
        for row, key, start, stop in self._parsed(piece)[1]:
            if row in present:
                cells[row, column] = self._object(key)[start:stop]

    def _parsed(self, piece: Doc) -> tuple[tuple[str, ...], list[tuple[int, str, int, int]]]:
        if "v" in piece:
            return (), []
        inline = piece.get("t")
        key = inline if inline is not None else _key("manifests", piece["m"])
        label = f"{key} {piece['r']}"
        found = self._pieces.get(label)
        if found is None:
            data = self._object(key) if inline is None else base64.b64decode(inline)
            chunks, where = _block(data)
            extra = () if inline is not None else (key,)
            samples = [(row, *at) for row, at in zip(_ids(piece["r"]), where, strict=True)]
            found = self._pieces[label] = ((*extra, *chunks), samples)
        return found


def _key(kind: str, ref: Doc) -> str:
    return f"{kind}/{ref['base']:012d}/{ref['id']}"


def _payload(constant: Doc) -> Cell:
    text = constant.get("payload")
    return None if text is None else base64.b64decode(text)


def _ids(flat: Iterable[int]) -> Iterator[int]:
    numbers = list(flat)
    for first, count in zip(numbers[::2], numbers[1::2], strict=True):
        yield from range(first, first + count)


def _block(data: bytes) -> tuple[tuple[str, ...], list[tuple[str, int, int]]]:
    """The chunks of a plain manifest block, and where each of its samples lies."""
    raw = zstandard.decompress(data[1:]) if data[0] else data[1:]
    n, n_chunks = struct.unpack_from("<IH", raw)
    at = 8
    chunks = []
    for _ in range(n_chunks):
        base, id = struct.unpack_from("<Q26s", raw, at)
        chunks.append(f"chunks/{base:012d}/{id.decode()}")
        at += 34
    chunk = struct.unpack_from(f"<{n}H", raw, at)
    offset = struct.unpack_from(f"<{n}Q", raw, at + 2 * n)
    length = struct.unpack_from(f"<{n}Q", raw, at + 10 * n)
    where = [(chunks[c], o, o + size) for c, o, size in zip(chunk, offset, length, strict=True)]
    return tuple(chunks), where


class Oracle:
    """Replays a log entry by entry and raises ``Violation`` at the first that is wrong."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.reader = Reader(objects)
        self.ops: dict[str, Op] = {}
        self.docs: list[Doc] = []
        self.write_ids: dict[str, list[int]] = {}
        self.needed: dict[int, frozenset[str]] = {}
        self.contents: dict[int, Content] = {}
        self.branches: dict[str, int] = {}
        self.tags: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        self.given_rows: set[int] = set()
        self.given_columns: set[int] = set()
        self.deeds: dict[int, Deed] = {}
        self.key: int | None = None
        self.replaces = False
        self.dataset: str | None = None
        self.closed = False
        self.first = self.expire_below = self.collect_below = 0

    @property
    def n(self) -> int:
        """The newest entry."""
        return len(self.docs)

    def is_kept(self, n: int) -> bool:
        """Whether a snapshot may be opened now."""
        if self.closed or n < self.first:
            return False
        named = n in self.branches.values() or n in self.tags.values()
        return n >= self.expire_below or named

    def explains(self, n: int, dataset: str) -> bool:
        """Whether an object of entry ``n`` may be missing."""
        return self.closed or dataset != self.dataset or not self.is_kept(n)

    def deleting(self, keys: Iterable[str]) -> None:
        """Objects are about to be removed."""
        gone = set(keys)
        for n, needed in self.needed.items():
            if self.is_kept(n) and not gone.isdisjoint(needed):
                key = min(gone & needed)
                raise Violation("gc deletes what is needed", f"{key}, which entry {n} needs")

    def land(self, n: int, data: bytes) -> None:
        """An entry was created."""
        doc: Doc = _decode(data[: data.index(b"\n")])
        if n != self.n + 1 or doc["n"] != n:
            raise Violation("numbers are dense", f"entry {n} after {self.n}")
        if self.docs and doc["time"] < self.docs[-1]["time"]:
            raise Violation("times are monotone", f"entry {n}")
        earlier = self.write_ids.setdefault(doc["write_id"], [])
        if any(self.docs[other - 1]["dataset"] == doc["dataset"] for other in earlier):
            raise Violation("a commit is there once", f"{doc['write_id']} again as entry {n}")
        earlier.append(n)
        self.docs.append(doc)
        self._replay(n, doc)
        self.needed[n] = self.reader.needs(doc)
        missing = self.needed[n] - self.objects.keys()
        if missing:
            raise Violation("an entry misses an object", f"entry {n}: {min(missing)}")
        if self.reader.refs(doc) != (self.branches, self.tags):
            raise Violation("the table of names is right", f"entry {n}")

    def _replay(self, n: int, doc: Doc) -> None:
        op = self.ops[doc["snapshot"]["message"] if doc["snapshot"] else doc["write_id"]]
        if op.kind == "create":
            self._create(n, doc)
        elif self.closed and op.kind != "noop":
            raise Violation("nothing follows the end", f"{op.kind} as entry {n}")
        elif doc["dataset"] != self.dataset:
            raise Violation("an entry belongs to its dataset", f"entry {n}")
        elif op.kind == "commit":
            self._commit(n, doc, op)
        elif op.kind == "restore":
            self._restore(n, doc, op)
        elif op.kind == "merge":
            self._merge(n, doc, op)
        elif op.kind in ("branch", "tag"):
            self._name(n, op)
        elif op.kind == "closed":
            self.closed, self.branches, self.tags = True, {}, {}
        self._lines(n, doc, op)

    def _lines(self, n: int, doc: Doc, op: Op) -> None:
        if op.kind == "expire":
            assert op.below is not None
            self.expire_below = max(self.expire_below, min(op.below, n))
        if op.kind in ("gc", "closed"):
            below = n if op.below is None else min(op.below, n)
            self.collect_below = max(self.collect_below, below)
        if op.kind in ("closed", "create"):
            self.expire_below = n
        state = doc["state"]
        found = (state["first"], state.get("expire_below"), state.get("collect_below"))
        if found != (self.first, self.expire_below, self.collect_below):
            raise Violation("the lines only rise", f"entry {n}: {found}")

    def _create(self, n: int, doc: Doc) -> None:
        if self.dataset is not None and not self.closed:
            raise Violation("a dataset is created once", f"entry {n}")
        self.dataset, self.first, self.closed = doc["dataset"], n, False
        self.branches, self.tags = {"main": n}, {}
        description = self.reader.description(doc["snapshot"])
        self.key = description.get("key")
        self.replaces = description.get("on_duplicate") == "replace"
        self.contents[n] = found = self.reader.content(doc)
        self.deeds[n] = Deed()
        self._new_columns(n, found.columns)

    def _new_columns(self, n: int, ids: Iterable[int]) -> None:
        for id in ids:
            if id in self.given_columns:
                raise Violation("a column id is given once", f"{id} again in entry {n}")
            self.given_columns.add(id)

    def _commit(self, n: int, doc: Doc, op: Op) -> None:
        before = self._branch(n, op)
        content = before.copy()
        if not op.only_appends and content.restored > op.opened:
            raise Violation("no update is lost", f"entry {n} is made on what a restore replaced")
        found = self.reader.content(doc)
        self._evolve(n, doc, op, content)
        self._change_rows(n, op, content)
        known = set(before.rows)
        new = [row for row in found.rows if row not in known]
        for row, column, value in op.updates:
            content.cells[row, column] = value
        self._append(n, op, content, new)
        ids = doc["operation"]["effects"].get("added", ())
        self.deeds[n] = Deed(
            parents=(self.branches[op.branch],),
            given=set(new),
            removed=known - set(content.rows),
            updated={(row, column) for row, column, _ in op.updates},
            added=set(ids),
            reshaped={*op.renamed, *op.dropped},
            metadata=set(op.metadata),
        )
        if not op.optimized:
            content.changed = n
        content.cells = {
            key: value for key, value in content.cells.items() if key[1] in content.columns
        }
        self._finish(n, doc, op, content, found)

    def _branch(self, n: int, op: Op) -> Content:
        if op.branch not in self.branches or self.moved.get(op.branch, 0) > op.opened:
            raise Violation("no update is lost", f"entry {n}: {op.branch} was moved or deleted")
        return self.contents[self.branches[op.branch]]

    def _finish(self, n: int, doc: Doc, op: Op, content: Content, found: Content) -> None:
        if doc["snapshot"]["parent"] != self.branches[op.branch]:
            raise Violation("a snapshot follows its branch's newest", f"entry {n}")
        if not found.same(content):
            raise Violation("a snapshot is its log replayed", f"entry {n}: {found} != {content}")
        self._check_keys(n, doc, content)
        self.contents[n] = content
        self.branches = {**self.branches, op.branch: n}

    def _evolve(self, n: int, doc: Doc, op: Op, content: Content) -> None:
        for id in (*op.renamed, *op.dropped):
            self._check_touch(n, op, content, ("column", id), id in content.columns)
        for id in op.dropped:
            self._check_touch(n, op, content, ("values", id), True)
            del content.columns[id]
        for id, name in op.renamed.items():
            content.columns[id] = (name, content.columns[id][1])
            content.touched["column", id] = n
        ids = doc["operation"]["effects"].get("added", ())
        self._new_columns(n, ids)
        for id, (name, default) in zip(ids, op.added, strict=True):
            content.columns[id] = (name, default)
            content.cells.update({(row, id): default for row in content.rows})
        for key, value in op.metadata.items():
            self._check_touch(n, op, content, ("key", key), True)
            content.metadata[key], content.touched["key", key] = value, n
        if op.optimized:
            self._check_touch(n, op, content, "optimized", True)
            content.touched["optimized"] = n
        names = [name for name, _ in content.columns.values()]
        if len(set(names)) != len(names):
            raise Violation("names are distinct", f"entry {n}: {names}")

    def _change_rows(self, n: int, op: Op, content: Content) -> None:
        present = set(content.rows)
        touched = dict.fromkeys((*op.deleted, *(row for row, _, _ in op.updates)))
        for row in touched:
            self._check_touch(n, op, content, row, row in present)
        content.touched.update(dict.fromkeys(touched, n))
        for _, column, _ in op.updates:
            if column not in content.columns:
                raise Violation("no update is lost", f"entry {n}: column {column} is gone")
            content.touched["values", column] = n
        gone = set(op.deleted)
        content.rows = [row for row in content.rows if row not in gone]
        content.cells = {key: cell for key, cell in content.cells.items() if key[0] not in gone}

    def _check_touch(self, n: int, op: Op, content: Content, what: object, exists: bool) -> None:
        if not exists or content.touched.get(what, 0) > op.opened:
            raise Violation(
                "no update is lost",
                f"entry {n}, made on {op.opened}, changes {what}, which is "
                f"{'changed' if exists else 'gone'} since",
            )

    def _append(self, n: int, op: Op, content: Content, new: list[int]) -> None:
        appended = self._last_of_each_key(op.appended)
        if len(new) != len(appended):
            raise Violation("no row is lost", f"entry {n}: {len(new)} for {len(appended)}")
        lost = {column for row in appended for column in row} & content.left_out
        if lost and content.restored > op.opened:
            raise Violation("no update is lost", f"entry {n}: a restore left out {lost}")
        for row, values in zip(new, appended, strict=True):
            if row in self.given_rows:
                raise Violation("a row id is given once", f"{row} again in entry {n}")
            self.given_rows.add(row)
            content.rows.append(row)
            for column, (_, default) in content.columns.items():
                content.cells[row, column] = values.get(column, default)
        self._make_room(n, content, *([row] for row, _, _ in op.updates), new)

    def _last_of_each_key(self, rows: list[dict[int, Cell]]) -> list[dict[int, Cell]]:
        if self.key is None or not self.replaces:
            return rows
        last = {row[self.key]: row for row in rows}
        return [row for row in rows if last[row[self.key]] is row]

    def _make_room(self, n: int, content: Content, *newer: list[int]) -> None:
        """Rows give way to newer ones of the same key, where duplicates are replaced."""
        if self.key is None:
            return
        owner: dict[Cell, int] = {}
        ranks = {row: i + 1 for i, rows in enumerate(newer) for row in rows}
        for row in sorted(content.rows, key=lambda row: ranks.get(row, 0)):
            owner[content.cells[row, self.key]] = row
        kept = [row for row in content.rows if owner[content.cells[row, self.key]] == row]
        gone = set(content.rows) - set(kept)
        if gone and not self.replaces:
            raise Violation("a key names one row", f"entry {n}: {gone} have keys of others")
        content.touched.update(dict.fromkeys(gone, n))
        content.rows = kept
        content.cells = {key: cell for key, cell in content.cells.items() if key[0] not in gone}

    def _check_keys(self, n: int, doc: Doc, content: Content) -> None:
        """The index finds each row by its key, and no other."""
        if self.key is None:
            return
        rows = {}
        for row in content.rows:
            key = content.cells[row, self.key]
            assert key is not None
            rows[int.from_bytes(key, "little")] = row
        found = self.reader.key_rows(doc["snapshot"])
        present = set(content.rows)
        live = {key: row for key, row in found.items() if row in present}
        if len(rows) != len(content.rows) or live != rows:
            raise Violation("a key names one row", f"entry {n}: {live} != {rows}")

    def _merge(self, n: int, doc: Doc, op: Op) -> None:
        """Both sides, as ``merged`` makes them out of what the commits did."""
        assert op.target is not None
        self._branch(n, op)
        if not self.is_kept(op.target):
            raise Violation("expired snapshots stay so", f"entry {n} merges {op.target}")
        ours, theirs = self.branches[op.branch], op.target
        content = merged(self, n, ours, theirs)
        self.deeds[n] = Deed(parents=(ours, theirs), merge=True)
        self._make_room(n, content, content.rows[content.brought_from :])
        content.changed = n
        self._finish(n, doc, op, content, self.reader.content(doc))

    def _restore(self, n: int, doc: Doc, op: Op) -> None:
        assert op.target is not None
        before = self._branch(n, op)
        if before.changed > op.opened:
            raise Violation("no update is lost", f"entry {n} restores over a change")
        if not self.is_kept(op.target):
            raise Violation("expired snapshots stay so", f"entry {n} restores {op.target}")
        content = self.contents[op.target].copy()
        content.restored = content.changed = n
        content.left_out = frozenset(before.columns.keys() - content.columns.keys())
        self.deeds[n] = Deed(parents=(self.branches[op.branch],), restored=True)
        self._finish(n, doc, op, content, self.reader.content(doc))

    def _name(self, n: int, op: Op) -> None:
        table = dict(self.branches if op.kind == "branch" else self.tags)
        if table.get(op.name) != op.expected:
            raise Violation("no update is lost", f"entry {n} moves {op.name} from elsewhere")
        if op.target is not None and not self.is_kept(op.target):
            raise Violation("expired snapshots stay so", f"entry {n} names {op.target}")
        table.pop(op.name, None)
        if op.target is not None:
            table[op.name] = op.target
        if op.kind == "branch":
            self.branches, self.moved[op.name] = table, n
        else:
            self.tags = table
