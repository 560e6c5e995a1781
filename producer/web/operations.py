"""The API's own page: what its OpenAPI document says, in the order in which a person reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


def operations(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the operations of an API by their group: method, path, text, parameters, examples of body and answer.

    Args:
        document: OpenAPI 3.1.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                one = item[method]
                groups.setdefault(one["tags"][0], []).append(
                    {
                        "method": method.upper(),
                        "path": path,
                        "text": one.get("description", ""),
                        "parameters": [
                            {
                                "name": parameter["name"],
                                "where": parameter["in"],
                                "required": parameter.get("required", False),
                                "text": parameter.get("description", "") or _kind(parameter["schema"]),
                            }
                            for parameter in one.get("parameters", [])
                        ],
                        "body": _example(document, one.get("requestBody", {})),
                        "answers": [code for code in one["responses"] if code.startswith("2")],
                        "answer": _example(document, _success(one)),
                    }
                )
    return groups


def _success(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the answer to a request that is carried out."""
    return next((found for code, found in operation["responses"].items() if code.startswith("2")), {})


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = [schema.get("type", "")] + [one.get("type", "") for one in schema.get("anyOf", [])]
    return " or ".join(kind for kind in kinds if kind and kind != "null")


def _example(document: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return an example of a body as JSON, put together from those of its fields."""
    schema = body.get("content", {}).get("application/json", {}).get("schema", {})
    found = _of_schema(document, schema)
    return "" if found is None else json.dumps(found, indent=2)


def _of_schema(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _of_schema(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    if "anyOf" in schema:
        return _of_schema(document, schema["anyOf"][0])
    kind = schema.get("type")
    if kind == "object" and "properties" not in schema:
        entries = schema.get("additionalProperties")
        return {"...": _of_schema(document, entries)} if isinstance(entries, dict) else {}
    if kind == "object":
        return {name: _of_schema(document, one) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [_of_schema(document, schema.get("items", {}))]
    return schema.get("default", {"string": "...", "integer": 1, "number": 1.0, "boolean": False}.get(str(kind)))
