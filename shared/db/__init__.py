"""The database: tables, connection, clock, and the values that the store and the queries exchange."""
