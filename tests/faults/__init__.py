"""The farm under fire: real servers and workers, something that breaks them, and something that counts the losses."""
