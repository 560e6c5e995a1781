"""The worker's commands; the producer's command line registers them."""
