"""One attempt at a job: its lease, sinks, checkpoints and outcome."""
