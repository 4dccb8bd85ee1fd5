"""Says which core and which toolkit this plugin needs; everything else stands in pyproject.toml.

Inside the repository these are the ones next door, so that `pip install ./plugins/genrec-plugin-grlm` works
although no package index has genrec-core. In an sdist or anywhere else it is a released core.
"""

from pathlib import Path

from setuptools import setup

tree = Path(__file__).resolve().parents[2]
toolkit = tree / "plugins" / "genrec-plugin-sid"
in_repository = (tree / "genrec_core" / "__init__.py").is_file() and (toolkit / "pyproject.toml").is_file()
core = f"genrec-core[engine] @ {tree.as_uri()}" if in_repository else "genrec-core[engine]>=0.1"
sid = f"genrec-plugin-sid @ {toolkit.as_uri()}" if in_repository else "genrec-plugin-sid>=0.1"

setup(install_requires=[core, sid])
