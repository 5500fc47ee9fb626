"""Who takes part in the schedule of a seed, and running it."""

from __future__ import annotations

from collections.abc import Callable

from aiolake.versions.head import EMPTY_LOG
from aiolake.versions.steps import Steps
from tests.versions.chores import (
    brancher,
    closer,
    collector,
    created,
    creator,
    dev_moved,
    expirer,
    restorer,
    tagger,
)
from tests.versions.opening import (
    Gone,
    reader,
)
from tests.versions.oracle import Violation
from tests.versions.simulator import ShortValues, Switches, World
from tests.versions.writing import (
    CHANGES,
    given_job,
    merger,
    optimizer,
    uniter,
    writer,
)


def one_writer(world: World, branch: str) -> Steps[None]:
    """One to three transactions."""
    yield from writer(world, branch, world.rng.choice((1, 2, 3)))


ACTORS: dict[str, Callable[[World, str], Steps[None]]] = {
    "writer": one_writer,
    "merger": merger,
    "optimizer": optimizer,
    "uniter": uniter,
    "reader": reader,
    "restorer": restorer,
    "brancher": brancher,
    "tagger": tagger,
    "expirer": expirer,
    "collector": collector,
    "closer": closer,
    "creator": creator,
    "job": given_job,
}
THEMES: dict[str, dict[str, int]] = {
    "everything": {**dict.fromkeys(ACTORS, 1), "writer": 4},
    "changes": {"writer": 8, "optimizer": 1, "reader": 1},
    "collection": {
        "writer": 4, "merger": 3, "optimizer": 1, "reader": 2, "expirer": 2, "collector": 5,
        "tagger": 1,
    },
    "names": {
        "writer": 3, "reader": 1, "restorer": 2, "brancher": 2, "tagger": 2, "expirer": 2,
        "collector": 1, "uniter": 3,
    },
    "ends": {"writer": 3, "reader": 1, "closer": 2, "creator": 1, "job": 4, "collector": 1},
}  # fmt: skip
"""Who takes part, and how often; the schedule of a seed has the theme ``seed % 5``."""


def until_gone(steps: Steps[None]) -> Steps[None]:
    """An actor that ends when there is nothing left for it."""
    try:
        yield from steps
    except Gone:
        return


def seeds(theme: str, n: int) -> range:
    """The first ``n`` seeds of a theme."""
    first = list(THEMES).index(theme)
    return range(first, first + n * len(THEMES), len(THEMES))


def populate(world: World) -> None:
    """Put four to seven actors into a world whose dataset has a few rows and a branch."""
    weights = list(THEMES.values())[world.seed % len(THEMES)]
    names = world.rng.choices(list(weights), list(weights.values()), k=world.rng.randrange(4, 8))
    if world.rng.random() < 0.6:
        world.kinds = tuple(world.rng.choices(list(CHANGES), k=2))
    for i, name in enumerate(names):
        branch = "dev" if world.rng.random() < (0.6 if "brancher" in names else 0.1) else "main"
        world.add(f"{name}-{i}", until_gone(ACTORS[name](world, branch)))


def begin(world: World) -> Steps[None]:
    """A dataset, an append or three, perhaps a branch: what every schedule starts from."""
    yield from created(world, EMPTY_LOG)
    if world.n:
        yield from writer(world, "main", world.rng.choice((1, 2, 3)))
        if world.rng.random() < 0.6:
            yield from dev_moved(world)


def simulate(seed: int, switches: Switches | None = None, *, traced: bool = False) -> World:
    """Run the schedule of a seed.

    Raises:
        Violation: The log broke a promise.
    """
    world = World(seed, switches or Switches(), traced=traced)
    if world.weather.short:
        with ShortValues():
            return _simulated(world)
    return _simulated(world)


def _simulated(world: World) -> World:
    world.add("begin", until_gone(begin(world)))
    world.run()
    populate(world)
    world.run()
    return world


def explain(seed: int, switches: Switches | None = None) -> str:
    """The violation and the trace of a schedule that is wrong."""
    world = World(seed, switches or Switches(), traced=True)
    try:
        if world.weather.short:
            with ShortValues():
                _simulated(world)
        else:
            _simulated(world)
    except Violation as violation:
        return "\n".join([f"seed {seed}: {violation}", *(world.trace or [])[-60:]])
    return f"seed {seed}: nothing is wrong"
