"""The part of the build that pyproject.toml cannot state: the README with links that work outside of the repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def absolute_links(text: str, source: str, tag: str) -> str:
    """Return Markdown in which links to files of the repository lead to `source`, at `tag`; pictures to their bytes."""

    def absolute(match: re.Match[str]) -> str:
        kind = "raw" if match["picture"] else "blob"
        return f"{match['picture']}[{match['text']}]({source}/{kind}/{tag}/{match['path']})"

    return re.sub(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?!https?:|#)(?P<path>[^)]+)\)", absolute, text)


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = re.search(r'__version__ = "(.+)"', (ROOT / "stylefarm/shared/__init__.py").read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit("stylefarm/shared/__init__.py names no __version__: the release cannot be built")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    setup(
        long_description=absolute_links(readme, project["urls"]["Source"], f"v{found[1]}"),
        long_description_content_type="text/markdown",
    )


if __name__ == "__main__":
    main()
