"""Plain values read from the farm: statuses, loss curves, metrics, selections of cells, file names."""
