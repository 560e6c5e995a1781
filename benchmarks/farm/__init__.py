"""Benchmarks of the farm on one machine, with a private Redis, PostgreSQL and object store."""
