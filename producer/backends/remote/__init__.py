"""A farm over its HTTP API: what a Farm asks where it has an address and a token."""
