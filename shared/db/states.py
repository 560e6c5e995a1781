"""The states of a job and the moves between them; `stylefarm.shared.store` has one function for each move."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a job."""

    def __repr__(self) -> str:
        """Return it as the text that it is, since mappings of states are printed."""
        return repr(self.value)

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to a job in this state by itself."""
        return self in FINAL


def read_state(word: str) -> State:
    """Return the state that a row has. One that this release does not know keeps its word, and is in no list of states.

    Example:
        >>> read_state("done") is State.DONE, read_state("archived") in list(State), str(read_state("archived"))
        (True, False, 'archived')
    """
    try:
        return State(word)
    except ValueError:
        foreign = str.__new__(State, word)
        foreign._name_, foreign._value_ = "FOREIGN", word
        return foreign


class Move(StrEnum):
    """A change of a job from one state to another."""

    CLAIM = "claim"
    FINISH = "finish"
    FAIL = "fail"
    CANCEL = "cancel"
    RELEASE = "release"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    READY = "ready"
    ABANDON = "abandon"
    HOLD = "hold"


class WorkerState(StrEnum):
    """Whether a worker takes jobs: a draining one only finishes its own, a benched one has failed too often."""

    ACTIVE = "active"
    DRAINING = "draining"
    BENCHED = "benched"


class ArtifactRole(StrEnum):
    """What an artifact is to its job."""

    RESULT = "result"
    SNAPSHOT = "snapshot"
    THUMBNAIL = "thumbnail"
    SAMPLE = "sample"
    CHECKPOINT = "checkpoint"
    MODEL = "model"


FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})

# A running job is cancelled or paused by its worker, once it learns of the request: to be paused, it is released first.
# The others are cancelled and paused where they stand.
MOVES: dict[Move, tuple[frozenset[State], State]] = {
    Move.CLAIM: (frozenset({State.QUEUED}), State.RUNNING),
    Move.FINISH: (frozenset({State.RUNNING}), State.DONE),
    Move.FAIL: (frozenset({State.RUNNING}), State.FAILED),
    Move.CANCEL: (frozenset({State.WAITING, State.QUEUED, State.PAUSED, State.RUNNING}), State.CANCELLED),
    Move.RELEASE: (frozenset({State.RUNNING}), State.QUEUED),
    Move.PAUSE: (frozenset({State.WAITING, State.QUEUED}), State.PAUSED),
    Move.RESUME: (frozenset({State.PAUSED}), State.QUEUED),
    Move.RETRY: (FINAL, State.QUEUED),
    # All that it waits for is done; or will never be.
    Move.READY: (frozenset({State.WAITING}), State.QUEUED),
    Move.ABANDON: (frozenset({State.WAITING}), State.FAILED),
    # Resumed or tried again before all that it waits for is done.
    Move.HOLD: (FINAL | {State.PAUSED}, State.WAITING),
}
