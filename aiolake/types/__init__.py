"""Column types and the schema: pure values that are JSON on storage.

A type says what a column's samples are. Types are frozen, hashable, checked when made (and when
read from JSON) and know nothing of bytes: ``aiolake.codecs`` does.

Source: docs/spec/v1.md, "Schema".
"""

from aiolake.types.annotations import BBox, BoxFormat, Keypoints, Mask
from aiolake.types.link import Reference, as_reference, shown_url
from aiolake.types.media import Audio, Video
from aiolake.types.plain import (
    Bytes,
    ClassLabel,
    Compression,
    Embedding,
    Image,
    Json,
    Orientation,
    PictureMode,
    Tensor,
    Text,
)
from aiolake.types.schema import (
    MAX_COLUMNS,
    Column,
    Constant,
    Schema,
    check_column_names,
    parse_schema,
)
from aiolake.types.union import (
    ColumnType,
    Link,
    Sequence,
    is_fixed,
    is_media,
    is_packed,
    summary,
)

__all__ = [
    "MAX_COLUMNS",
    "Audio",
    "BBox",
    "BoxFormat",
    "Bytes",
    "ClassLabel",
    "Column",
    "ColumnType",
    "Compression",
    "Constant",
    "Embedding",
    "Image",
    "Json",
    "Keypoints",
    "Link",
    "Mask",
    "Orientation",
    "PictureMode",
    "Reference",
    "Schema",
    "Sequence",
    "Tensor",
    "Text",
    "Video",
    "as_reference",
    "check_column_names",
    "is_fixed",
    "is_media",
    "is_packed",
    "parse_schema",
    "shown_url",
    "summary",
]
