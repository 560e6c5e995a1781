"""Dispatch of jobs to workers: announcements, backlog, expired leases, the registries of workers and weights."""
