"""The page that describes the HTTP interface, and the description that it is made from."""

import re

import httpx
import pytest
from playwright.sync_api import expect
from screens import serious_violations

from audiosearch.web.interface.docs_page import docs_page


@pytest.fixture(scope="module")
def openapi(served):
    return httpx.get(f"{served.url}/api/openapi.json").json()


@pytest.fixture(scope="module")
def page(served):
    return httpx.get(f"{served.url}/docs")


@pytest.fixture(scope="module")
def routes(openapi):
    """Descriptions of the routes by method and path."""
    return {
        f"{method.upper()} {path}": route
        for path, methods in openapi["paths"].items()
        for method, route in methods.items()
    }


def test_summaries_are_sentences(routes):
    for name, route in routes.items():
        assert re.fullmatch(r"[A-Z][^\n]+\.", route["summary"]), name


def test_every_answer_is_described(routes):
    for name, route in routes.items():
        for status, answer in route["responses"].items():
            assert re.fullmatch(r"[A-Z].+\.", answer["description"]), (name, status)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("GET /api/defaults", set()),
        ("GET /api/health", {"409"}),
        ("POST /api/embed", {"408", "409", "422", "507"}),
        ("GET /api/tracks/{track_id}", {"404", "409", "422"}),
        ("GET /api/tracks/{track_id}/audio", {"206", "404", "409", "416", "422", "507"}),
        ("POST /api/playlist", {"404", "408", "409", "422"}),
    ],
)
def test_a_route_lists_the_statuses_that_it_can_give(routes, name, own):
    of_all = {"200", "400", "401", "403", "413", "421", "431", "503"}
    assert set(routes[name]["responses"]) == of_all | own


def test_every_field_of_a_request_is_described(openapi, routes):
    schemas = openapi["components"]["schemas"]
    fields = {
        (name, field): content["description"]
        for name, schema in schemas.items()
        if name.startswith("Body_") or schema.get("additionalProperties") is False
        for field, content in schema["properties"].items()
    }
    assert len(fields) > 40
    for route in routes.values():
        for parameter in route.get("parameters", []):
            assert parameter["description"].endswith(".")


def test_the_page_names_every_route_field_and_status(page, openapi, routes):
    for name, route in routes.items():
        section = re.search(
            rf"<section id=\"{re.sub(r'[^a-z_]+', '-', name.lower()).strip('-')}\".*?</section>",
            page.text,
            re.DOTALL,
        ).group()
        for status in route["responses"]:
            assert f"<td>{status}</td>" in section
        for parameter in route.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in section
    for schema in openapi["components"]["schemas"].values():
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in page.text


def test_the_page_loads_nothing_from_elsewhere_and_needs_no_script(page):
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)


def test_links_lead_to_parts_of_the_page(page):
    targets = set(re.findall(r"href=\"#([^\"]+)\"", page.text))
    assert len(targets) > 15
    assert targets <= set(re.findall(r"id=\"([^\"]+)\"", page.text))


def test_texts_are_escaped():
    evil = "<img src=x onerror=alert(1)>"
    route = {"summary": evil, "description": evil, "responses": {"200": {"description": evil}}}
    field = {"type": "string", "description": evil, "default": evil}
    schemas = {"Thing": {"description": evil, "properties": {evil: field}}}
    html = docs_page({"paths": {f"/{evil}": {"get": route}}, "components": {"schemas": schemas}})
    assert "<img src=x" not in html


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_fits_its_window_and_keeps_nobody_out(browser, served, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    faults = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("response", lambda answer: answer.ok or faults.append(answer.url))
    page.goto(f"{served.url}/docs")
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    methods = page.locator("li a > span")
    assert set(methods.all_inner_texts()) == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    for method in methods.all():
        expect(method).to_have_css("border-style", "solid")
    assert faults == []
    page.close()
