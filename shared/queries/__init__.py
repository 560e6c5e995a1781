"""Every read of the database, by subject."""
