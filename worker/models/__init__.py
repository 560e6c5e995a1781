"""Trained models of the farm: imported, exported, and got from where they are published."""
