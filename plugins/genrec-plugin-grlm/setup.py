"""Says which libraries and which core this plugin needs; everything else stands in pyproject.toml.

Inside the repository that is the core next door, so that `pip install ./plugins/genrec-plugin-grlm` works
although no package index has genrec-core. In an sdist or anywhere else it is a released core.
"""

from pathlib import Path

from setuptools import setup

tree = Path(__file__).resolve().parents[2]
in_repository = (tree / "genrec_core" / "__init__.py").is_file() and (tree / "pyproject.toml").is_file()
core = f"genrec-core[engine] @ {tree.as_uri()}" if in_repository else "genrec-core[engine]>=0.1"

setup(install_requires=[core, "hnswlib>=0.8"])
