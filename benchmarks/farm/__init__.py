"""The farm measured on one machine, with a Redis, a PostgreSQL and an object store of its own."""
