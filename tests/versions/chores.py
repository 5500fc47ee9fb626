"""Actors that move names and lines, and that begin and end a dataset."""

from __future__ import annotations

from typing import Any

from aiolake.errors import (
    NotFoundError,
)
from aiolake.format.entry import Description
from aiolake.types import Column, Schema
from aiolake.versions import collect as collecting
from aiolake.versions import head as heads
from aiolake.versions.blobs import refs_with
from aiolake.versions.head import Head
from aiolake.versions.intents import (
    Close,
    Collect,
    Create,
    Expire,
    Restore,
    SetBranch,
    SetTag,
)
from aiolake.versions.steps import Steps
from tests.versions.opening import (
    TYPE,
    Gone,
    found_head,
    must_be_gone,
    opened,
)
from tests.versions.simulator import World
from tests.versions.writing import (
    made_op,
    publish,
)


def restorer(world: World, branch: str) -> Steps[None]:
    """Bring back some older snapshot."""
    handle = yield from opened(world, branch)
    entry = handle.head.entry
    assert entry is not None
    number = world.rng.randrange(entry.state.first, entry.n + 1)
    op = made_op(world, "restore", opened=handle.head.n, branch=branch, target=number)
    intent = Restore(on_branch=branch, snapshot=number, message=op.label)
    yield from publish(world, op, intent, handle.head, ())


def brancher(world: World, branch: str) -> Steps[None]:
    """Create, move or delete the branch ``dev``, twice."""
    for _ in range(2):
        yield from dev_moved(world)


def dev_moved(world: World) -> Steps[None]:
    """Create, move or delete the branch ``dev``."""
    handle = yield from opened(world, "main")
    entry = handle.head.entry
    assert entry is not None
    found = yield from seen_names(world, handle.head, branch="dev")
    number: int | None = world.rng.randrange(entry.state.first, entry.n + 1)
    if found is not None and world.rng.random() < 0.4:
        number = None
    op = made_op(world, "branch", opened=handle.head.n, name="dev", target=number, expected=found)
    intent = SetBranch(name="dev", snapshot=number, expected=found)
    yield from publish(world, op, intent, handle.head, ())


def seen_names(world: World, head: Head, *, branch: str = "", tag: str = "") -> Steps[int | None]:
    """What a name stands for at a head."""
    assert head.entry is not None
    try:
        refs = yield from refs_with(head.entry, branch=branch or None, tag=tag or None)
    except NotFoundError as error:
        must_be_gone(world, error, head.n, head.entry.dataset)
        raise Gone from error
    return refs.branches.get(branch) if branch else refs.tags.get(tag)


def tagger(world: World, branch: str) -> Steps[None]:
    """Create or delete a tag."""
    handle = yield from opened(world, branch)
    entry = handle.head.entry
    assert entry is not None
    name = world.rng.choice(("v1", "v2"))
    found = yield from seen_names(world, handle.head, tag=name)
    number = None if found else world.rng.randrange(entry.state.first, entry.n + 1)
    op = made_op(world, "tag", opened=handle.head.n, name=name, target=number, expected=found)
    intent = SetTag(name=name, snapshot=number, expected=found)
    yield from publish(world, op, intent, handle.head, ())


def expirer(world: World, branch: str) -> Steps[None]:
    """Move the line below which snapshots are not opened, then collect."""
    handle = yield from opened(world, branch)
    below = world.rng.randrange(1, handle.head.n + 3)
    op = made_op(world, "expire", opened=handle.head.n, below=below)
    done = yield from publish(world, op, Expire(below=below), handle.head, ())
    if done is not None and world.rng.random() < 0.7:
        yield from collector(world, branch)


def collector(world: World, branch: str) -> Steps[None]:
    """Raise the fence, then remove what nobody needs."""
    head = yield from found_head(world)
    if head.entry is None or world.rng.random() < 0.02:
        return
    below = None if world.rng.random() < 0.7 else world.rng.randrange(1, head.n + 1)
    before = head
    if not world.switches.fence_first:
        yield from swept(world, head, below)
    op = made_op(world, "gc", opened=head.n, below=below)
    done = yield from publish(world, op, Collect(below=below), head, ())
    if done is None:
        return
    if world.switches.mark_after_fence:
        head, _ = yield from heads.read_forward(done.head)
        yield from swept(world, head, None)
    else:
        yield from swept(world, before, done.entry.state.collect_below)


def swept(world: World, head: Head, below: int | None) -> Steps[None]:
    """Remove what the head does not need."""
    assert head.entry is not None
    entry = head.entry
    if below is not None:
        state = type(entry.state)(**{**_fields(entry.state), "collect_below": below})
        entry = type(entry)(**{**_fields(entry), "state": state})
    try:
        yield from collecting.remove_unreferenced(entry)
    except NotFoundError:
        # Another collection was quicker; what it removed was not needed, or the oracle has spoken.
        return


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def closer(world: World, branch: str) -> Steps[None]:
    """Delete the dataset, and its objects; perhaps make another."""
    handle = yield from opened(world, branch)
    op = made_op(world, "closed", opened=handle.head.n)
    done = yield from publish(world, op, Close(), handle.head, ())
    if done is not None:
        yield from swept(world, done.head, None)
    if world.rng.random() < 0.8:
        head = yield from found_head(world)
        yield from created(world, head)


def created(world: World, head: Head) -> Steps[None]:
    """Make a dataset with two columns."""
    op = made_op(world, "create", opened=head.n)
    schema = Schema((Column(0, "x", TYPE), Column(1, "label", TYPE)))
    made = Description(schema)
    if world.on_duplicate:
        made = Description(schema, key=1, on_duplicate=world.on_duplicate)
    intent = Create(dataset=f"dataset-{world.number()}", description=made, message=op.label)
    yield from publish(world, op, intent, head, ())


def creator(world: World, branch: str) -> Steps[None]:
    """Make a dataset where there may be one."""
    yield from created(world, (yield from found_head(world)))
