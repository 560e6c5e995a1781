"""The database: its tables, its connection, its clock, and the values that go in and come out."""
