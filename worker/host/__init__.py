"""The worker's processes: supervisor, GPU pinning, slots, shutdown, registration and logging."""
