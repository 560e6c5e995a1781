"""The JSON objects that the farm gives to programs: what `--json` prints, and what the HTTP API answers with."""
