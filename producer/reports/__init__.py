"""What came out, written down: comparisons, tables, downloads, timelapses."""
