"""The farm under fire: real servers and workers, something that breaks them, and something that counts the losses.

    python -m tests.faults --seed 3 --seconds 1200

`arena` is the farm, with its servers behind proxies; `customer` asks it for pictures; `nemesis` breaks it, by a plan
that follows from the seed, with what is in `faults`; `checker` compares what was promised with what is there.
"""
