"""Answers in the formats of Subsonic: XML, JSON, and JSON in a call of a script (JSONP)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from starlette.responses import Response

from audiosearch import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACE = "http://subsonic.org/restapi"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CALLBACK = re.compile(r"[\w$.\[\]]{1,100}", re.ASCII)  # names of functions, and nothing else
#: Web pages that are apps may read answers, as they may read those of servers: no cookie is used.
_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


def response(answer: Mapping[str, Any], format_: str, callback: str = "") -> Response:
    """Return the response for the content of a ``subsonic-response``.

    Parameters
    ----------
    answer : mapping
    format_ : str
        Parameter ``f`` of the request: json, jsonp, or anything else for XML.
    callback : str
        Name of the function that JSONP calls.
    """
    content = json.dumps({"subsonic-response": answer})
    if format_ == "json" or (format_ == "jsonp" and not _CALLBACK.fullmatch(callback)):
        return Response(content, headers=_HEADERS, media_type="application/json")
    if format_ == "jsonp":
        script = f"{callback}({content});"
        return Response(script, headers=_HEADERS, media_type="application/javascript")
    root = _element("subsonic-response", {"xmlns": _NAMESPACE, **answer})
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(text, headers=_HEADERS, media_type="application/xml")


def failure(message: str, code: int = 0) -> dict[str, Any]:
    """Return the answer that a request failed, when the server itself has not answered."""
    return {
        "status": "failed",
        "version": "1.16.1",
        "type": "audiosearch",
        "serverVersion": __version__,
        "openSubsonic": True,
        "error": {"code": code, "message": message},
    }


def _element(name: str, fields: Mapping[str, Any]) -> ET.Element:
    """Return the XML element of a JSON object.

    Texts, numbers and booleans are attributes. Objects and the items of lists are elements.
    """
    element = ET.Element(name)
    for key, value in fields.items():
        if value is None:
            continue
        if key == "value":
            element.text = _text(value)
        elif isinstance(value, (dict, list)):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    element.append(_element(key, item))
                else:
                    ET.SubElement(element, key).text = _text(item)
        else:
            element.set(key, _text(value))
    return element


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else _NOT_IN_XML.sub("", str(value))
