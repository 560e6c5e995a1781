"""Results as files: comparisons, tables, downloads, timelapses."""
