"""A private object store: OpenStack Swift, spoken to as S3."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.private import PrivateServer
from tests.servers.processes import find_program

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[1] / ".swift" / "bin"

HASHES = """\
[swift-hash]
swift_hash_path_prefix = {prefix}
swift_hash_path_suffix = {suffix}
"""

# The time-outs are far above Swift's own, and no server is shunned for its errors: a busy machine must not show as a
# listing that misses an object for ever, nor a pause as a store that stays away after it.
COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
devices = {folder}/devices
workers = 0
mount_check = false
disable_fallocate = true
log_level = WARNING
conn_timeout = 10
node_timeout = 30
container_update_timeout = 30
error_suppression_interval = 0
"""

STORAGE = """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY = """
[pipeline:main]
pipeline = {pipeline}

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:tempauth]
use = egg:swift#tempauth
user_farm_worker = {password} .admin

[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""

# In the order that a request passes them; s3api has to come before tempauth, and slo (multipart uploads) after both.
PIPELINE = (
    "catch_errors proxy-logging listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink "
    "proxy-logging proxy-server"
)
WITH_DEFAULTS = ("catch_errors", "proxy-logging", "listing_formats", "bulk", "s3api", "copy", "slo", "dlo", "symlink")


class SwiftServer(PrivateServer):
    """A Swift proxy with one account, one container and one object server behind it."""

    name = "swift"
    access_key = "farm:worker"
    region = "us-east-1"
    port_count = 4
    needs_attributes = True
    silence = (BotoCoreError, ClientError)
    # No names are looked up here, and the resolver that eventlet would bring takes longest of all to import.
    environment: ClassVar[dict[str, str]] = {"EVENTLET_NO_GREENDNS": "yes"}

    def __init__(self) -> None:
        super().__init__()
        self._storage_ports = dict(zip(("account", "container", "object"), self.ports[1:], strict=True))
        self._hash_prefix, self._hash_suffix = secrets.token_hex(16), secrets.token_hex(16)

    @property
    def endpoint(self) -> str:
        """Where S3 clients connect to, with path-style addressing."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def secret_key(self) -> str:
        """The secret that belongs to `access_key`."""
        return self.password

    def client(self, secret_key: str | None = None) -> S3Client:
        """An S3 client that fails soon and once, so that a test sees each failure; close it after use."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=2,
                read_timeout=10,
                retries={"total_max_attempts": 1},
                proxies={},  # what the environment says of proxies is not meant for this machine
            ),
        )

    def _prepare(self) -> None:
        self._python = find_program("swift-proxy-server", [ENVIRONMENT]).with_name("python")
        (self.folder / "devices" / "d1").mkdir(parents=True)
        own_hashes = HASHES.format(prefix=self._hash_prefix, suffix=self._hash_suffix)
        (self.folder / "swift.conf").write_text(own_hashes)
        for kind, port in self._storage_ports.items():
            self._configure(kind, port, STORAGE.format(kind=kind))
        filters = "".join(f"\n[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}\n" for name in WITH_DEFAULTS)
        self._configure("proxy", self.port, PROXY.format(pipeline=PIPELINE, password=self.password) + filters)

    def _configure(self, kind: str, port: int, sections: str) -> None:
        common = COMMON.format(port=port, folder=self.folder)
        (self.folder / f"{kind}-server.conf").write_text(common + sections)

    def _command(self) -> list[str]:
        # -I keeps this folder off the path of imports, where `redis` and `swift` would be the modules beside this one.
        ports = [str(port) for port in self._storage_ports.values()]
        return [str(self._python), "-I", str(HERE / "swift_program.py"), str(self.folder), *ports]

    def _is_own(self) -> bool:
        # Where Swift keeps a bucket follows from its name and this server's random prefix and suffix.
        bucket = f"proof-{secrets.token_hex(8)}"
        path = f"{self._hash_prefix}/AUTH_farm/{bucket}{self._hash_suffix}"
        place = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=bucket)
            found = any(self.folder.glob(f"devices/d1/containers/*/*/{place}/{place}.db"))
            client.delete_bucket(Bucket=bucket)
        return found
