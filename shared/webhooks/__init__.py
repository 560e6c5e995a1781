"""Calls that a sweep makes over HTTP: subscriptions and their delivery."""
