"""Terms that a submission asks for, and jobs that were there already do not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from stylefarm.shared.queries.sweeps import SweepReads
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.text import counted


def kept_terms(sweeps: SweepReads, sweep_id: str, given: Mapping[str, Any], terms: Terms) -> list[str]:
    """Return a sentence for each given term that jobs of a sweep do not have, since they were there already.

    Args:
        sweeps: the queries.
        sweep_id: the sweep as it is after the submission.
        given: the terms that the user gave, by name.
        terms: the same, read.

    Example:
        sweep.kept = kept_terms(farm.services.sweeps, sweep.id, {"device": "gpu"}, Terms(device="gpu"))
    """
    return list(_sentences(sweeps, sweep_id, given, terms))


def _sentences(sweeps: SweepReads, sweep_id: str, given: Mapping[str, Any], terms: Terms) -> Iterator[str]:
    found: Counter[tuple[str, Any]] = Counter()
    for kept, count in sweeps.unfinished_terms(sweep_id):
        for name in given:
            value = getattr(kept, name)
            if name != "after" and value != getattr(terms, name):
                found[name, value] += count
    for (name, value), count in found.items():
        yield _sentence(count, f"with {name} {value!r}, not {getattr(terms, name)!r}")
    count = sweeps.not_after(sweep_id, terms.after) if terms.after else 0
    if count:
        yield _sentence(count, "without waiting for the jobs of `after`")


def _sentence(count: int, how: str) -> str:
    verbs = "was there already, and stays" if count == 1 else "were there already, and stay"
    return f"{counted(count, 'job')} {verbs} {how}: submit with force to render all anew"
