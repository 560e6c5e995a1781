"""Prometheus metrics, the health endpoint, and the doctor's checks."""
