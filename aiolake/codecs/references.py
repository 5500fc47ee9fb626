"""Many references to one object, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from aiolake.errors import InvalidInputError
from aiolake.types import Reference, shown_url
from aiolake.types.link import MAX_OFFSET

__all__ = ["References"]


class References:
    """Many samples in one object, such as the members of a tar file: values of a ``Link`` column.

    Args:
        url: The object.
        offsets: The first byte of each sample.
        lengths: Its bytes; all of them known.
        etag: See ``Reference``.
        creds_key: See ``Reference``.

    Raises:
        InvalidInputError: Lengths for other offsets, or a negative one.
    """

    __slots__ = ("creds_key", "etag", "lengths", "offsets", "url")

    def __init__(
        self,
        url: str,
        offsets: npt.ArrayLike,
        lengths: npt.ArrayLike,
        *,
        etag: str | None = None,
        creds_key: str | None = None,
    ) -> None:
        self.url = Reference(url, etag=etag, creds_key=creds_key).url
        self.offsets = _numbers("offsets", offsets)
        self.lengths = _numbers("lengths", lengths)
        self.etag = etag
        self.creds_key = creds_key
        if len(self.offsets) != len(self.lengths):
            raise InvalidInputError(
                f"{len(self.offsets)} offsets and {len(self.lengths)} lengths: one of each a sample"
            )

    @property
    def nbytes(self) -> int:
        """Bytes of the table itself, not of the samples."""
        return self.offsets.nbytes + self.lengths.nbytes

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, at: int) -> Reference: ...
    @overload
    def __getitem__(self, at: slice) -> References: ...
    def __getitem__(self, at: int | slice) -> Reference | References:
        if isinstance(at, slice):
            return References(
                self.url,
                self.offsets[at],
                self.lengths[at],
                etag=self.etag,
                creds_key=self.creds_key,
            )
        offset, length = self.offsets[at].item(), self.lengths[at].item()
        return Reference(self.url, offset, length, self.etag, self.creds_key)

    def __iter__(self) -> Iterator[Reference]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<References: {len(self):,} samples in {shown_url(self.url)}>"


def _numbers(name: str, values: Any) -> npt.NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InvalidInputError(f"{name} are whole numbers, one a sample")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < MAX_OFFSET:
        raise InvalidInputError(f"{name} lie between 0 and 2**62")
    return array.astype(np.int64)
