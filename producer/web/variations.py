"""More like this: the parameters of a cell, and values around them that are worth trying."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from stylefarm.producer.views.labels import key_of
from stylefarm.shared.errors import NotFound
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB, JobSpec

# Around a weight, its half and its double first; a factor of ten is another picture.
FACTORS = (0.5, 0.71, 1.0, 1.41, 2.0)
WEIGHTS = ("style_weight", "tv_weight", "learning_rate", "style_scale", "content_weight")
COUNTS = ("iterations", "size")
SEEDS = 6
CHOICES: dict[str, tuple[Any, ...]] = {
    "color": ("style", "luminance"),
    "init": ("content", "noise"),
}
# Parameters of a spec that a new sweep is not told: they say what it is, or are resolved anew.
NOT_GIVEN = frozenset({"kind", "content", "style", "content_masks", "style_masks", "init_image"})


def variations(services: Services, sweep_id: str, position: int) -> dict[str, Any]:
    """Return the base of a sweep like a cell, and for each parameter that may vary the values around its own.

    Args:
        services: the farm's.
        sweep_id: the sweep's whole id.
        position: the cell's.

    Raises:
        NotFound: there is no such sweep, or no such cell.
    """
    services.queries.sweep(sweep_id)
    cells = services.cell_reads.cells(sweep_id).cells
    job_id = next((cell.job for cell in cells if cell.position == position), None)
    if job_id is None:
        raise NotFound(f"sweep {sweep_id} has no cell {position}")
    job = services.queries.job(job_id)
    base = base_of(job.spec, job.content_name, job.style_name)
    axes = [found for name, value in base.items() if (found := _axis(name, value)) is not None]
    return {"base": base, "axes": axes, "job": job_id, "parent": sweep_id}


def base_of(spec: Mapping[str, Any], content: str, style: str) -> dict[str, Any]:
    """Return the parameters of a job as a sweep file has them, with pictures as hashes that say what these are called.

    Args:
        spec: the job's.
        content: what its content is called.
        style: what its styles are called, joined by +.
    """
    fields = JobSpec.model_fields
    usual = {name: field.get_default(call_default_factory=True, validated_data={}) for name, field in fields.items()}
    base = {
        name: value
        for name, value in spec.items()
        if name not in NOT_GIVEN and value is not None and key_of(value) != key_of(usual.get(name))
    }
    base["content"] = _named(spec["content"], content)
    styles, names = spec.get("style") or [], style.split(" + ")
    if styles:
        named = [_named(one, name) for one, name in zip(styles, names, strict=False)]
        base["style"] = [*named, *styles[len(named) :]]
    base.update((name, spec[name]) for name in ("content_masks", "style_masks", "init_image") if spec.get(name))
    return base


def _named(address: Any, name: str) -> Any:
    """Return the address of a picture with what its user calls it."""
    if not isinstance(address, str) or not address.startswith(BLOB) or not name or name.startswith(BLOB):
        return address
    return f"{address}/{PurePath(name).name}"


def _axis(name: str, value: Any) -> dict[str, Any] | None:
    if name == "seed" and isinstance(value, int):
        return _numbers(name, value, [value + step for step in range(1, SEEDS + 1)])
    if isinstance(value, bool) or not isinstance(value, int | float):
        if name in CHOICES:
            return {"name": name, "kind": "choice", "value": value, "suggested": list(CHOICES[name])}
        return None
    if name in WEIGHTS and value > 0:
        return _numbers(name, value, [float(f"{value * factor:.3g}") for factor in FACTORS])
    if name in COUNTS:
        return _numbers(name, value, sorted({max(16, round(value * factor)) for factor in (0.5, 1, 2)}))
    return None


def _numbers(name: str, value: float, suggested: list[float] | list[int]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "number",
        "value": value,
        "suggested": suggested,
        "low": min(suggested),
        "high": max(suggested),
    }
