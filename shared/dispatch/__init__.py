"""Who takes which job: announcing jobs, the backlog, lost leases, workers and their weights."""
