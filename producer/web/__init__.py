"""The dashboard and the HTTP API: what a person looks at in a browser, and what a program of any language asks."""
