"""Mutants: patches of the shipped code, each breaking the promise in one way that the histories must notice."""

from __future__ import annotations

from pathlib import Path

from tests.simulation import mutants_again, mutants_service

MUTANTS = mutants_service.MUTANTS | mutants_again.MUTANTS


def plant(mutant: str, package: Path) -> None:
    """Apply the mutant's hunks to a copy of the package. Errors: ValueError where the shipped code has moved on."""
    for hunk in MUTANTS[mutant]:
        path = package / hunk.file
        text = path.read_text(encoding="utf-8")
        if text.count(hunk.old) != 1:
            raise ValueError(f"{mutant}: {hunk.file} holds the text to be changed {text.count(hunk.old)} times")
        path.write_text(text.replace(hunk.old, hunk.new), encoding="utf-8")
