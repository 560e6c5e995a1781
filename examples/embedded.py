"""What the examples stand on: a farm in their own process, and photographs to render from."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from stylefarm.shared.settings import Settings, load_settings


def embedded_settings(home: Path) -> Settings:
    """The settings of a farm in this process, whatever servers the environment or stylefarm.toml may name."""
    load_settings()  # says in a sentence what is wrong with them
    return Settings(
        home=home,
        url=None,
        token=None,
        broker_url=None,
        database_url=None,
        s3_bucket=None,
        s3_endpoint=None,
        s3_public_endpoint=None,
        s3_region="us-east-1",
        s3_access_key=None,
        s3_secret_key=None,
        s3_prefix="",
    )


def photographs() -> Path:
    """The photographs that scikit-image's package ships."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        sys.exit("the demo takes its photographs from scikit-image: pip install 'stylefarm[worker]'")
    return Path(package.origin).parent / "data"
