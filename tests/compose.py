"""docker-compose.yml and the Dockerfile, read as docker reads them, as far as this project uses them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests import REPOSITORY

FILE = REPOSITORY / "docker-compose.yml"
EXAMPLE = REPOSITORY / ".env.example"
DOCKERFILE = REPOSITORY / "Dockerfile"

# `$$`, or `${NAME:?sentence}`; the file uses no other form.
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+):\?(?P<sentence>[^}]+)\})")


def example_variables() -> dict[str, str]:
    """What .env.example names, with the values that it gives."""
    lines = (line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def required_variables() -> set[str]:
    """The variables without which docker-compose refuses to start."""
    # Through JSON, which leaves the comments out.
    content = json.dumps(yaml.safe_load(FILE.read_text()))
    return {match["name"] for match in VARIABLE.finditer(content) if match["name"]}


@dataclass(frozen=True)
class Service:
    """One service, its variables filled in."""

    name: str
    content: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.content.get("environment", {}).items()}

    @property
    def command(self) -> list[str]:
        """What is run: the file's entrypoint, or that of our own image, and the file's command."""
        entrypoint = self.content.get("entrypoint") or (self._image_entrypoint() if "build" in self.content else [])
        return [*entrypoint, *self.content.get("command", [])]

    @property
    def health(self) -> list[str]:
        """The command that is asked whether the service is well."""
        kind, *command = self.content["healthcheck"]["test"]
        return ["sh", "-c", *command] if kind == "CMD-SHELL" else command

    @property
    def needs(self) -> dict[str, str]:
        """What has to come before, and how far it must be."""
        return {name: needed["condition"] for name, needed in self.content.get("depends_on", {}).items()}

    def _image_entrypoint(self) -> list[str]:
        stage = stages()[self.content["build"]["target"]]
        (entrypoint,) = re.findall(r"^ENTRYPOINT (\[.*\])$", stage, re.MULTILINE)
        return [str(word) for word in json.loads(entrypoint)]


def services(variables: Mapping[str, str]) -> dict[str, Service]:
    """All services by their names."""
    content = _filled(yaml.safe_load(FILE.read_text())["services"], variables)
    return {name: Service(name, service) for name, service in content.items()}


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """A part of the file with its variables filled in; like docker-compose, not in keys and comments."""
    if isinstance(value, dict):
        return {name: _filled(part, variables) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, variables) for part in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: variables[match["name"]] if match["name"] else "$", value)
    return value


def in_order(name: str, known: Mapping[str, Service]) -> list[Service]:
    """The service of that name after all that it needs, each once."""
    before = [service for needed in known[name].needs for service in in_order(needed, known)]
    return list({service.name: service for service in [*before, known[name]]}.values())


def stages() -> dict[str, str]:
    """The stages of the Dockerfile, by their names."""
    parts = re.split(r"^FROM .* AS (\w+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
