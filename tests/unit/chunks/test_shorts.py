"""How values of varying size are cut into pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiolake.chunks.shorts import ShortPages
from aiolake.codecs import ByteCodec, ByteRows

LONG = 2048
sizes = st.lists(st.none() | st.sampled_from([0, 1, 60, 1000, LONG, LONG + 1, 9000]), max_size=60)


def rows_of(sizes: list[int | None]) -> ByteRows:
    missing = [i for i, size in enumerate(sizes) if size is None]
    return ByteRows([b"%d" % (size or 0) + bytes(size or 0) for size in sizes], missing)


def cut(many: list[list[int | None]], pages: ShortPages) -> list[ByteRows]:
    found = [page for sizes in many for page in pages.add(rows_of(sizes))]
    rest = pages.rest()
    return found if rest is None else [*found, rest]


def flat(pages: list[ByteRows]) -> list[bytes | None]:
    return [
        None if i in page.missing else value
        for page in pages
        for i, value in enumerate(page.values)
    ]


@given(many=st.lists(sizes, max_size=5))
def test_rows_stay_in_order_and_no_page_is_long(many: list[list[int | None]]) -> None:
    pages = ShortPages(ByteCodec())
    found = cut(many, pages)
    assert flat(found) == [value for sizes in many for value in flat([rows_of(sizes)])]
    assert pages.rest() is None
    for page in found:
        nbytes = sum(map(len, page.values))
        assert nbytes < 4096 + LONG or len(page) == 1
        assert 1 <= len(page) <= 1024
        assert len(page) == 1 or max(map(len, page.values)) <= LONG


@given(values=sizes, at=st.integers(0, 60))
def test_pages_do_not_depend_on_how_rows_arrive(values: list[int | None], at: int) -> None:
    whole = cut([values], ShortPages(ByteCodec()))
    split = cut([values[:at], values[at:]], ShortPages(ByteCodec()))
    assert [(p.values, list(p.missing)) for p in whole] == [
        (p.values, list(p.missing)) for p in split
    ]


def test_short_values_fill_pages_whatever_lies_between_them() -> None:
    found = cut([[60] * 1000], ShortPages(ByteCodec()))
    assert {len(page) for page in found[:-1]} == {67}
    alternating = cut([[60, 9000] * 100], ShortPages(ByteCodec()))
    assert len(alternating) == 200
    assert len(cut([[None] * 5000], ShortPages(ByteCodec()))) == 5
