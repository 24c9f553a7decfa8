"""The page's ES modules: every import leads to a module that exists, and none forms a cycle."""

import re
from posixpath import dirname, join, normpath

import pytest

from audiosearch.web.routes.pages import FILES

# import "./a.js"; import { b } from "./a.js"; export { b } from "./a.js"; import("./a.js")
IMPORT = re.compile(
    r"""^\s*import\s*["']([^"']+)["']"""
    r"""|^\s*(?:import|export)\s[^;"'()]*\bfrom\s*["']([^"']+)["']"""
    r"""|\bimport\(\s*["']([^"']+)["']""",
    re.MULTILINE,
)


def page_modules():
    """Return the source of each module, by its path in the page's folder."""
    scripts = {name: file for name, file in FILES.items() if name.endswith(".js")}
    del scripts["map/standalone.js"]  # entry point of another page
    return {name: file.read_text() for name, file in scripts.items()}


def imports_of(sources):
    """Return the modules that each module imports."""
    return {
        name: [normpath(join(dirname(name), "".join(groups))) for groups in IMPORT.findall(source)]
        for name, source in sources.items()
    }


def find_cycle(imports):
    """Return the modules of one import cycle, the first one repeated at the end, or []."""
    finished = set()

    def visit(name, trail):
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name not in finished:
            for imported in imports.get(name, ()):
                if cycle := visit(imported, [*trail, name]):
                    return cycle
            finished.add(name)
        return []

    return next((cycle for name in imports if (cycle := visit(name, []))), [])


def test_page_modules_import_without_a_cycle():
    imports = imports_of(page_modules())
    assert sum(map(len, imports.values())) > len(imports)
    assert find_cycle(imports) == []


def test_page_modules_import_only_modules_that_exist():
    imports = imports_of(page_modules())
    assert {imported for names in imports.values() for imported in names} <= imports.keys()


def test_every_page_module_is_reached_from_the_entry_point():
    imports = imports_of(page_modules())
    reached, waiting = set(), ["page.js"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imports[name]
    assert reached == imports.keys()


@pytest.mark.parametrize(
    ("sources", "cycle"),
    [
        pytest.param({"a.js": 'import "./a.js";'}, ["a.js", "a.js"], id="itself"),
        pytest.param(
            {
                "a.js": 'import { b } from "./in/b.js";',
                "in/b.js": 'import {\n  c,\n  d,\n} from "./c.js";',
                "in/c.js": 'export { a } from "../a.js";',
            },
            ["a.js", "in/b.js", "in/c.js", "a.js"],
            id="three modules in two folders",
        ),
        pytest.param(
            {
                "main.js": 'import "./a.js";',
                "a.js": 'const b = await import("./b.js");',
                "b.js": 'import * as a from "./a.js";',
            },
            ["a.js", "b.js", "a.js"],
            id="dynamic import",
        ),
        pytest.param(
            {
                "main.js": 'import { a } from "./a.js";\nimport { b } from "./b.js";',
                "a.js": 'import { b } from "./b.js";',
                "b.js": 'export const b = "from ./a.js";\n// import "./main.js";',
            },
            [],
            id="shared module is no cycle",
        ),
    ],
)
def test_cycles_are_found_in_made_up_modules(sources, cycle):
    assert find_cycle(imports_of(sources)) == cycle
