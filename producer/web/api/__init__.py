"""The HTTP API, one router per noun; answers are JSON, errors are problem documents (RFC 9457)."""
