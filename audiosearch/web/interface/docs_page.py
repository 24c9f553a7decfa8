"""A page that describes the HTTP interface, made from its OpenAPI description."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_Schema = dict[str, Any]

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HTTP interface - audiosearch</title>
<link rel="icon" href="logo.svg" type="image/svg+xml">
<link rel="stylesheet" href="page/docs.css">
<header>
<a href="./"><img src="logo.svg" alt="" width="32" height="32">audiosearch</a>
<p>HTTP interface</p>
<a href="api/openapi.json">OpenAPI</a>
</header>
<nav aria-label="Contents"><ul>
{contents}
</ul></nav>
<main>
<h1>HTTP interface</h1>
<p>Programs send requests to these addresses. Answers are JSON, unless said otherwise. An error is
an object with <code>error</code>, a sentence, and <code>hint</code>, what to do next. A server
with a key expects it in the header <code>X-API-Key</code>.</p>
{routes}
<section id="objects" aria-labelledby="objects-title">
<h2 id="objects-title">Objects</h2>
{objects}
</section>
</main>
</html>
"""
_KINDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "integer",
    "number": "number",
    "object": "object",
    "null": "null",
}
_NAMES_OF_KINDS = ("$ref", "anyOf", "type", "contentMediaType")  # without limits
_SMALLEST, _LARGEST = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")


def docs_page(openapi: Mapping[str, Any]) -> str:
    """Return an HTML page that describes an interface.

    Parameters
    ----------
    openapi : mapping
        Its description in the OpenAPI format, version 3.1.
    """
    schemas: dict[str, _Schema] = openapi["components"]["schemas"]
    routes = [
        (method.upper(), path, route)
        for path, methods in openapi["paths"].items()
        for method, route in methods.items()
    ]
    objects = {name: schema for name, schema in schemas.items() if not name.startswith("Body_")}
    return _PAGE.format(
        contents="\n".join(_link(method, path) for method, path, _ in routes)
        + '\n<li><a href="#objects">Objects</a></li>',
        routes="\n".join(_route(*route, schemas) for route in routes),
        objects="\n".join(_object(name, schema) for name, schema in sorted(objects.items())),
    )


def _anchor(method: str, path: str) -> str:
    return re.sub(r"\W+", "-", f"{method}{path}").strip("-").lower()


def _link(method: str, path: str) -> str:
    return f'<li><a href="#{_anchor(method, path)}">{_title(method, path)}</a></li>'


def _title(method: str, path: str) -> str:
    return f'<span class="{method.lower()}">{method}</span> <code>{escape(path)}</code>'


def _route(method: str, path: str, route: _Schema, schemas: Mapping[str, _Schema]) -> str:
    anchor, summary = _anchor(method, path), route["summary"]
    description = route.get("description", "")
    rows = [
        _row(
            _field_name(item["name"], is_required=item.get("required", False)),
            escape(item["in"]),
            _kind(item["schema"]),
            _meaning(item | item["schema"] | {"description": item.get("description", "")}),
        )
        for item in route.get("parameters", [])
    ]
    parts = [
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">',
        f'<h2 id="{anchor}-title">{_title(method, path)}</h2>',
        f'<p class="summary">{_prose(summary)}</p>',
        "" if description in {"", summary} else f"<p>{_prose(description)}</p>",
        _table("Parameters", ("Name", "In", "Type", "Meaning"), rows),
        _body(route, schemas),
        _table("Answers", ("Status", "Type", "Meaning"), _answers(route["responses"])),
        "</section>",
    ]
    return "\n".join(filter(None, parts))


def _body(route: _Schema, schemas: Mapping[str, _Schema]) -> str:
    """Return the table of the fields of a request's body."""
    for media_type, content in route.get("requestBody", {}).get("content", {}).items():
        schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
        kind = "a JSON object" if media_type == "application/json" else "a form"
        return _table(f"Body: {kind}", ("Field", "Type", "Meaning"), _fields(schema))
    return ""


def _answers(responses: Mapping[str, _Schema]) -> Iterator[str]:
    for status, answer in sorted(responses.items()):
        kinds = [
            _kind(content["schema"]) if content.get("schema") else escape(media_type)
            for media_type, content in answer.get("content", {}).items()
        ]
        yield _row(status, ", ".join(kinds), _prose(answer["description"]))


def _object(name: str, schema: _Schema) -> str:
    parts = [
        f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3>',
        f"<p>{_prose(schema.get('description', ''))}</p>",
        _table("", ("Field", "Type", "Meaning"), _fields(schema)),
    ]
    return "\n".join(parts)


def _fields(schema: _Schema) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        yield _row(_field_name(name, is_required=name in required), _kind(field), _meaning(field))


def _field_name(name: str, *, is_required: bool) -> str:
    mark = ' <span class="required">required</span>' if is_required else ""
    return f"<code>{escape(name)}</code>{mark}"


def _kind(schema: _Schema) -> str:
    """Return the type of a value, with its limits, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if choices:
        return " or ".join(f"<code>{escape(str(choice))}</code>" for choice in choices)
    if schema.get("contentMediaType") == "application/octet-stream":
        return "file"
    if schema.get("type") == "array":
        item = {"type": "any"} | schema.get("items", {})
        plural = "" if "$ref" in item or "anyOf" in item else "s"
        bare = {name: item[name] for name in item if name in _NAMES_OF_KINDS}
        return f"list of {_most(schema, 'maxItems')}{_kind(bare)}{plural}"
    kind = _KINDS.get(schema.get("type", ""), "any value")
    return f"{kind}{_limits(schema)}"


def _most(schema: _Schema, name: str) -> str:
    return f"at most {schema[name]:,} " if name in schema else ""


def _limits(schema: _Schema) -> str:
    smallest = next((schema[name] for name in _SMALLEST if name in schema), None)
    largest = next((schema[name] for name in _LARGEST if name in schema), None)
    if largest is not None and largest < 2**53:  # larger ones only say that it is an integer
        return f", {smallest or 0:,g} to {largest:,g}"
    most = _most(schema, "maxLength")
    return f" of {most}characters" if most else ""


def _meaning(schema: _Schema) -> str:
    """Return the description of a field, and its default, as HTML."""
    text = _prose(schema.get("description", ""))
    default = schema.get("default")
    if default in (None, "", [], {}) or isinstance(default, dict):
        return text
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{text} Default: <code>{escape(shown)}</code>."


def _prose(text: str) -> str:
    """Return a text as HTML, with the code in it marked."""
    return re.sub(r"(`+)(.+?)\1", r"<code>\2</code>", escape(" ".join(text.split())))


def _table(caption: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    if not body:
        return ""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    title = f"<h3>{caption}</h3>\n" if caption else ""
    return (
        f'{title}<div class="table" tabindex="0" role="group" aria-label="{caption or "Fields"}">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
