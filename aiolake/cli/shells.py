"""``aiolake completion``: what makes a shell complete commands and options."""

from __future__ import annotations

from typing import Literal

from aiolake.cli.exits import Exit
from aiolake.cli.output import Output

__all__ = ["completion"]


async def completion(shell: Literal["bash", "zsh", "fish"], /) -> Exit:
    """Print a completion script: source <(aiolake completion bash).

    Args:
        shell: Which shell.
    """
    from aiolake.cli.app import app

    Output().line(app.generate_completion(prog_name="aiolake", shell=shell))
    return Exit.OK
