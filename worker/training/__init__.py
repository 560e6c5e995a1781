"""Training of models: data sets on disk, loss networks, a trainer per family of methods, model cards."""
