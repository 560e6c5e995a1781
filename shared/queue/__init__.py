"""The Celery application, the routes of its queues, and the hints that it carries."""
