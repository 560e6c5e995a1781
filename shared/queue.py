"""The Celery application, and how jobs are announced on it.

A message is a hint: the job's id, which is also the Celery task's id, and nothing else. What a job is and where it
stands is the database's to say, so a hint may come twice or late without harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from shared.errors import InvalidSettings, ServiceUnavailable

TASK = "stylefarm.render"
QUEUE = "stylefarm"

CONNECT_SECONDS = 5


@lru_cache(maxsize=4)
def application(broker_url: str) -> Celery:
    """The Celery application on that Redis. Nothing rests on its guarantees: leases in the database make jobs safe.

    Raises InvalidSettings if the URL is not one of Redis.
    """
    if not broker_url.startswith(("redis://", "rediss://")):
        raise InvalidSettings("broker_url must start with redis:// or rediss://, as in redis://:password@host:6379/0")
    app = Celery("stylefarm", broker=broker_url, include=["worker.tasks"])
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # Early: a hint that dies with its worker is replaced when the lease has run out.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=True,
        # The child imports torch before it reports that it is up, which takes seconds on a busy machine.
        worker_proc_alive_timeout=120,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_timeout": CONNECT_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
            # On Redis, priority 0 is consumed first.
            "queue_order_strategy": "priority",
            "priority_steps": list(range(10)),
        },
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_max_retries=None,
    )
    return app


def publish(app: Celery, job_ids: Iterable[str]) -> None:
    """Announces queued jobs, in pipelines over one connection.

    Raises ServiceUnavailable; the jobs stay queued in the database.
    """
    try:
        with app.connection_for_write() as connection:
            producer = app.amqp.Producer(connection)
            with producer.batch():  # type: ignore[attr-defined]  # missing in the stubs
                for job_id in job_ids:
                    # Without a retry of its own: Celery's would hold a producer for minutes while Redis is away.
                    app.send_task(TASK, [job_id], task_id=job_id, producer=producer, retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError) as error:
        raise ServiceUnavailable(_away(app, error)) from error


def check(broker_url: str) -> None:
    """Asks Redis for an answer. Raises ServiceUnavailable, InvalidSettings."""
    app = application(broker_url)
    try:
        timeouts = {"socket_timeout": CONNECT_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
        with Redis.from_url(broker_url, **timeouts) as client:
            client.ping()
    except ValueError as error:
        raise InvalidSettings(f"broker_url is no Redis URL: {error}") from None
    except (RedisError, OSError) as error:
        raise ServiceUnavailable(_away(app, error)) from error


def _away(app: Celery, error: Exception) -> str:
    address = app.connection_for_write().as_uri()
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, AuthenticationError):
        return f"Redis at {address} refuses us ({reason}): check the user and the password in broker_url"
    return f"Redis at {address} does not answer ({reason}): is it running, and is broker_url right?"
