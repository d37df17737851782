"""Asks buildozer and python-for-android about mobile/buildozer.spec, without an SDK; prints JSON.

Run by test_packaging.py with the Python of var/package-tools, in which these two are installed, in
the folder `mobile` and with a HOME of its own: buildozer makes a folder there.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any


def inspected() -> dict[str, Any]:
    """Return what buildozer objects to, what is built in which order, and what pip installs."""
    from buildozer import Buildozer
    from pythonforandroid.bootstrap import Bootstrap
    from pythonforandroid.build import Context
    from pythonforandroid.graph import get_recipe_order_and_bootstrap
    from pythonforandroid.recipe import Recipe

    buildozer = Buildozer("buildozer.spec", "android")
    buildozer.check_configuration_tokens()  # ends the process where it objects
    buildozer.target.check_configuration_tokens()
    config = buildozer.config
    context = Context()
    context.local_recipes = str(Path(config.get("app", "p4a.local_recipes")).resolve())
    requirements = config.getlist("app", "requirements", [])
    blacklist = config.get("app", "p4a.extra_args").partition("--blacklist-requirements=")[2]
    bootstrap = Bootstrap.get_bootstrap(config.get("app", "p4a.bootstrap"), context)
    names = [requirement.partition("==")[0] for requirement in requirements]
    order, modules, _ = get_recipe_order_and_bootstrap(
        context, names, bootstrap, blacklist=set(blacklist.split(","))
    )
    own = sorted(path.parent.name for path in Path(context.local_recipes).glob("*/__init__.py"))
    chosen = {name: type(Recipe.get_recipe(name, context)).__module__ for name in own}
    files = {name: Recipe.get_recipe(name, context).get_recipe_dir() for name in own}
    return {
        "version": buildozer.get_version(),
        "requirements": requirements,
        "recipes": order,
        "modules": modules,
        "own": chosen,
        "folders": files,
        "minimum": buildozer.target.android_minapi,
        "manifest": (
            Path(
                context.root_dir, "bootstraps/_sdl_common/build/templates/AndroidManifest.tmpl.xml"
            )
        ).read_text("utf-8"),
    }


with contextlib.redirect_stdout(sys.stderr):
    found = inspected()
print(json.dumps(found))
