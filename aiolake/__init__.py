"""An asyncio-native, transactional storage engine for AI datasets on any object store.

``ds = await aiolake.open_dataset("./flowers")``; see ``open_dataset``, ``create_dataset``,
``Dataset`` and ``Transaction``.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiolake._aio import Portal
    from aiolake.codecs import References, convert_boxes
    from aiolake.codecs.media.clips import AudioClip, VideoClip
    from aiolake.credentials.lease import CredentialState
    from aiolake.credentials.values import (
        AccountKeyCredential,
        AnonymousCredential,
        AwsCredential,
        BearerCredential,
        SasCredential,
    )
    from aiolake.dataset.clips import read_clip
    from aiolake.dataset.copy import Copied, CopyProgress, copy_dataset
    from aiolake.dataset.dataset import Dataset, DatasetSpec
    from aiolake.dataset.fork import Appender, Receipt, Worker
    from aiolake.dataset.history import History, SnapshotInfo
    from aiolake.dataset.maintain import Collected, expire, gc
    from aiolake.dataset.open import create_dataset, dataset_exists, delete_dataset, open_dataset
    from aiolake.dataset.optimize import optimize
    from aiolake.dataset.problems import Problem
    from aiolake.dataset.referring import references
    from aiolake.dataset.session import Session
    from aiolake.dataset.stats import ColumnStats, DatasetStats
    from aiolake.dataset.summary import ColumnSummary, Shapes, Sizes, Summary
    from aiolake.dataset.transaction import Transaction
    from aiolake.dataset.verify import Verified, verify
    from aiolake.dataset.view import View
    from aiolake.errors import (
        AiolakeError,
        AlreadyExistsError,
        ClosedError,
        ConflictError,
        CorruptDataError,
        CredentialExpiredError,
        DeadlineError,
        ForkedError,
        FormatError,
        HubError,
        InvalidInputError,
        MissingExtraError,
        NotFoundError,
        OutcomeUnknownError,
        OutOfRangeError,
        PermissionDeniedError,
        ReadOnlyError,
        SnapshotExpiredError,
        StoreError,
        ThrottledError,
        TransientStoreError,
        UnauthenticatedError,
        UnsupportedVersionError,
        WrongLoopError,
    )
    from aiolake.intake import IngestProgress, IngestReport, Skipped, ingest
    from aiolake.options import Options
    from aiolake.predicates import (
        Predicate,
        between,
        ge,
        gt,
        is_null,
        isin,
        le,
        lt,
        not_,
        not_null,
    )
    from aiolake.render.sheet import Sheet, show
    from aiolake.types import (
        Audio,
        BBox,
        Bytes,
        ClassLabel,
        Column,
        ColumnType,
        Embedding,
        Image,
        Json,
        Keypoints,
        Link,
        Mask,
        Reference,
        Schema,
        Sequence,
        Tensor,
        Text,
        Video,
    )
    from aiolake.versions.commit import Found, Outcome
    from aiolake.versions.history import SchemaDiff, SnapshotDiff

__version__ = "0.1.0.dev0"

__all__ = [
    "AccountKeyCredential",
    "AiolakeError",
    "AlreadyExistsError",
    "AnonymousCredential",
    "Appender",
    "Audio",
    "AudioClip",
    "AwsCredential",
    "BBox",
    "BearerCredential",
    "Bytes",
    "ClassLabel",
    "ClosedError",
    "Collected",
    "Column",
    "ColumnStats",
    "ColumnSummary",
    "ColumnType",
    "ConflictError",
    "Copied",
    "CopyProgress",
    "CorruptDataError",
    "CredentialExpiredError",
    "CredentialState",
    "Dataset",
    "DatasetSpec",
    "DatasetStats",
    "DeadlineError",
    "Embedding",
    "ForkedError",
    "FormatError",
    "Found",
    "History",
    "HubError",
    "Image",
    "IngestProgress",
    "IngestReport",
    "InvalidInputError",
    "Json",
    "Keypoints",
    "Link",
    "Mask",
    "MissingExtraError",
    "NotFoundError",
    "Options",
    "OutOfRangeError",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "Portal",
    "Predicate",
    "Problem",
    "ReadOnlyError",
    "Receipt",
    "Reference",
    "References",
    "SasCredential",
    "Schema",
    "SchemaDiff",
    "Sequence",
    "Session",
    "Shapes",
    "Sheet",
    "Sizes",
    "Skipped",
    "SnapshotDiff",
    "SnapshotExpiredError",
    "SnapshotInfo",
    "StoreError",
    "Summary",
    "Tensor",
    "Text",
    "ThrottledError",
    "Transaction",
    "TransientStoreError",
    "UnauthenticatedError",
    "UnsupportedVersionError",
    "Verified",
    "Video",
    "VideoClip",
    "View",
    "Worker",
    "WrongLoopError",
    "between",
    "convert_boxes",
    "copy_dataset",
    "create_dataset",
    "dataset_exists",
    "delete_dataset",
    "expire",
    "gc",
    "ge",
    "gt",
    "ingest",
    "is_null",
    "isin",
    "le",
    "lt",
    "not_",
    "not_null",
    "open_dataset",
    "optimize",
    "read_clip",
    "references",
    "show",
    "verify",
]

_HOMES = {
    "aiolake._aio": ("Portal",),
    "aiolake.codecs": ("References", "convert_boxes"),
    "aiolake.codecs.media.clips": ("AudioClip", "VideoClip"),
    "aiolake.credentials.lease": ("CredentialState",),
    "aiolake.credentials.values": (
        "AccountKeyCredential",
        "AnonymousCredential",
        "AwsCredential",
        "BearerCredential",
        "SasCredential",
    ),
    "aiolake.dataset.clips": ("read_clip",),
    "aiolake.dataset.copy": ("Copied", "CopyProgress", "copy_dataset"),
    "aiolake.dataset.dataset": ("Dataset", "DatasetSpec"),
    "aiolake.dataset.fork": ("Appender", "Receipt", "Worker"),
    "aiolake.dataset.history": ("History", "SnapshotInfo"),
    "aiolake.dataset.maintain": ("Collected", "expire", "gc"),
    "aiolake.dataset.problems": ("Problem",),
    "aiolake.dataset.verify": ("Verified", "verify"),
    "aiolake.dataset.open": ("create_dataset", "dataset_exists", "delete_dataset", "open_dataset"),
    "aiolake.dataset.optimize": ("optimize",),
    "aiolake.dataset.referring": ("references",),
    "aiolake.dataset.session": ("Session",),
    "aiolake.dataset.stats": ("ColumnStats", "DatasetStats"),
    "aiolake.dataset.summary": ("ColumnSummary", "Shapes", "Sizes", "Summary"),
    "aiolake.dataset.transaction": ("Transaction",),
    "aiolake.dataset.view": ("View",),
    "aiolake.errors": (
        "AiolakeError",
        "AlreadyExistsError",
        "ClosedError",
        "ConflictError",
        "CorruptDataError",
        "CredentialExpiredError",
        "DeadlineError",
        "ForkedError",
        "FormatError",
        "HubError",
        "InvalidInputError",
        "MissingExtraError",
        "NotFoundError",
        "OutOfRangeError",
        "OutcomeUnknownError",
        "PermissionDeniedError",
        "ReadOnlyError",
        "SnapshotExpiredError",
        "StoreError",
        "ThrottledError",
        "TransientStoreError",
        "UnauthenticatedError",
        "UnsupportedVersionError",
        "WrongLoopError",
    ),
    "aiolake.intake": ("IngestProgress", "IngestReport", "Skipped", "ingest"),
    "aiolake.options": ("Options",),
    "aiolake.predicates": (
        "Predicate",
        "between",
        "ge",
        "gt",
        "is_null",
        "isin",
        "le",
        "lt",
        "not_",
        "not_null",
    ),
    "aiolake.render.sheet": ("Sheet", "show"),
    "aiolake.types": (
        "Audio",
        "BBox",
        "Bytes",
        "ClassLabel",
        "Column",
        "ColumnType",
        "Embedding",
        "Image",
        "Json",
        "Keypoints",
        "Link",
        "Mask",
        "Reference",
        "Schema",
        "Sequence",
        "Tensor",
        "Text",
        "Video",
    ),
    "aiolake.versions.commit": ("Found", "Outcome"),
    "aiolake.versions.history": ("SchemaDiff", "SnapshotDiff"),
}
"""Where each public name is defined: modules are loaded when a name of theirs is first used."""

_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'aiolake' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    modules = {name for name, value in globals().items() if isinstance(value, ModuleType)}
    return sorted({*__all__, *modules, *(name for name in globals() if name.startswith("__"))})
