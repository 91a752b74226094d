"""Build the compiled twins, tag wheels by what is in them, make the links of README whole, add the man pages.

Every other setting lives in pyproject.toml. MIDIGPT_SOURCE_URL says where the source is published (a release sets it).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

SOURCES = sorted(Path("cython_ext").glob("*.pyx"))
INCLUDED = sorted(str(path) for path in Path("cython_ext").iterdir() if path.suffix in (".pxi", ".h"))


def extensions() -> list[Extension]:
    """One extension `midigpt_core._fast_<name>` per .pyx file, or none where MIDIGPT_PURE=1 asks for plain Python."""
    if os.environ.get("MIDIGPT_PURE") == "1" or not SOURCES:
        return []
    from Cython.Build import cythonize

    flags = [] if os.name == "nt" else ["-O3", "-ffp-contract=off"]  # no fused sums: same numbers on every machine
    link = [] if os.name == "nt" else ["-pthread"]
    modules = [
        Extension(f"midigpt_core._fast_{path.stem}", [str(path)], extra_compile_args=flags, extra_link_args=link)
        for path in SOURCES
    ]
    built = cythonize(modules, language_level=3, annotate=False)
    for module, path in zip(built, SOURCES, strict=True):
        module.optional = True  # no compiler: the package still installs, and the Python reference runs
        module.depends += [str(path), *INCLUDED]  # so that the source archive carries the .pyx
    return built


class Wheel(bdist_wheel):
    """A wheel for any machine (py3-none-any) where nothing could be compiled into it."""

    def run(self) -> None:
        """Compile first, so that it is known what the wheel holds."""
        if self.distribution.has_ext_modules():
            self.run_command("build_ext")
            build = self.get_finalized_command("build_ext")
            if not any(Path(file).exists() for file in build.get_outputs()):
                self.distribution.ext_modules = []
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


def readme(source: str) -> str:
    """README with links and pictures that work elsewhere, once it is known where the source is."""
    text = Path("README.md").read_text(encoding="utf-8")
    if not source:
        return text
    text = re.sub(r"(!\[[^]]*\]\()(?!\w+:|#)", rf"\g<1>{source}/raw/main/", text)
    return re.sub(r"((?<!!)\[[^]]*\]\()(?!\w+:|#)", rf"\g<1>{source}/blob/main/", text)


def urls(source: str) -> dict[str, str]:
    """What a package index shows beside the project."""
    if not source:
        return {}
    pages = {
        "Source": "",
        "Documentation": "/tree/main/docs",
        "Changes": "/blob/main/CHANGELOG.md",
        "Issues": "/issues",
    }
    return {name: source + path for name, path in pages.items()}


if __name__ == "__main__":
    SOURCE = os.environ.get("MIDIGPT_SOURCE_URL", "").rstrip("/")
    setup(
        ext_modules=extensions(),
        cmdclass={"bdist_wheel": Wheel},
        long_description=readme(SOURCE),
        long_description_content_type="text/markdown",
        project_urls=urls(SOURCE),
        data_files=[("share/man/man1", sorted(str(page) for page in Path("docs/man").glob("*.1")))],
    )
