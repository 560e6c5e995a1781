"""Fault injection: a whole farm runs on real servers and workers while a nemesis breaks them; a checker counts losses.

    python -m tests.faults --seed 3 --seconds 1200

`environment` starts the farm, with its servers behind proxies; `load_generator` submits jobs and commands; `nemesis`
injects the faults of `faults`, by a plan that follows from the seed; `checker` compares what was acknowledged with what
is there; `run_report` prints the counts.
"""
