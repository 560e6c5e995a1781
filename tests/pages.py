"""What the pages that stylefarm writes hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def document(path: Path) -> Any:
    """What the page of a sheet knows."""
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])
