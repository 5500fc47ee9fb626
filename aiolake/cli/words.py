"""Messages of the library in the words of the command line."""

from __future__ import annotations

__all__ = ["in_words_of_the_shell"]

_WORDS = {
    "aiolake.create_dataset()": "aiolake create",
    "aiolake.delete_dataset()": "aiolake rm",
    "on_error='skip'": "--on-error skip",
    "on_duplicate='replace'": "--on-duplicate replace",
    "max_errors=": "--max-errors ",
    "on_duplicate=": "--on-duplicate ",
    "resume=False": "--no-resume",
}


def in_words_of_the_shell(message: str) -> str:
    """A message with options and commands in place of arguments and functions."""
    for word, here in _WORDS.items():
        message = message.replace(word, here)
    return message
