"""Every question to the database that changes nothing, by subject."""
