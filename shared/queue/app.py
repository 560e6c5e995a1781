"""The Celery application that workers run; what producers put into its queues is in `stylefarm.shared.queue.hints`."""

from __future__ import annotations

from functools import lru_cache

from celery import Celery

from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.queue.hints import CONNECT_SECONDS
from stylefarm.shared.queue.routes import HIGHEST, queue_name
from stylefarm.shared.queue.transport import HintAMQP, Watch


@lru_cache(maxsize=4)
def application(broker_url: str, watch: Watch = Watch()) -> Celery:  # noqa: B008 - it never changes
    """Return the Celery application on that Redis. Jobs do not rely on its guarantees, but on leases in the database.

    Args:
        broker_url: the Redis.
        watch: what is told of the messages that are taken.

    Raises:
        InvalidSettings: the URL is not one of Redis.
    """
    if not broker_url.startswith(("redis://", "rediss://")):
        raise InvalidSettings("broker_url must start with redis:// or rediss://, as in redis://:password@host:6379/0")
    app = Celery("stylefarm", amqp=HintAMQP, broker=broker_url, include=["stylefarm.worker.tasks"])
    app.conf.update(
        task_default_queue=queue_name("auto", ""),
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # Acknowledged early: a hint that is lost with its worker is replaced when the lease has expired.
        task_acks_late=False,
        # A slot takes no hint while it has one. It must not count what it acknowledged by Celery's own prefetch: one
        # acknowledgement that is lost in a connection, and it would never take a hint again.
        worker_prefetch_multiplier=0,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # Only for questions: see `stylefarm.shared.queue.messages.COMMANDS`.
        worker_enable_remote_control=True,
        # The child imports torch before it reports that it is up, which takes seconds on a busy machine.
        worker_proc_alive_timeout=120,
        # How long a slot waits for the result of a child that died before it takes another job; ours have none.
        worker_lost_wait=0.5,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "watch": watch,
            "socket_timeout": CONNECT_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
            # On Redis, priority 0 is consumed first; `stylefarm.shared.queue.routes` reverses ours.
            "queue_order_strategy": "priority",
            "priority_steps": list(range(HIGHEST + 1)),
        },
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_max_retries=None,
    )
    return app
