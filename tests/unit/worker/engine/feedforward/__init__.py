"""Networks that are trained, by plain references, and how their models are applied."""
