"""What came out, written down: comparisons, tables, downloads, films, notebook output."""
