"""The modules that ``python -X importtime`` names, and the time that each import takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")


@dataclass
class ImportedModule:
    """A module that was imported.

    Attributes:
        name: the name.
        own: the microseconds of the module itself.
        total: the microseconds with all modules that it imported first.
        imports: those modules.
    """

    name: str
    own: int
    total: int
    imports: list[ImportedModule] = field(default_factory=list)

    @property
    def package(self) -> str:
        """The top-level package."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class PackageTime:
    """What the modules of a package take.

    Attributes:
        name: the package.
        own: the microseconds of its modules themselves.
        total: the microseconds with all modules of other packages that they imported first.
    """

    name: str
    own: int
    total: int


@dataclass(frozen=True)
class ImportTimes:
    """What the imports of an application take.

    Attributes:
        modules: the modules that the application, and the bridge, import first, in the order of their imports.
    """

    modules: list[ImportedModule]

    @property
    def total(self) -> int:
        """The microseconds of all modules."""
        return sum(module.total for module in self.modules)

    @property
    def count(self) -> int:
        """How many modules are imported."""
        pending, count = list(self.modules), 0
        while pending:
            module = pending.pop()
            pending += module.imports
            count += 1
        return count

    def share(self, microseconds: int) -> float:
        """Return the share in the time of all modules, in per cent."""
        return 100 * microseconds / max(self.total, 1)

    def most_expensive(self, count: int = 10) -> list[PackageTime]:
        """Return the packages whose modules themselves take the longest."""
        own: dict[str, int] = {}
        total: dict[str, int] = {}
        pending = [(module, frozenset[str]()) for module in self.modules]
        while pending:
            module, above = pending.pop()
            own[module.package] = own.get(module.package, 0) + module.own
            if module.package not in above:
                total[module.package] = total.get(module.package, 0) + module.total
            pending += [(each, above | {module.package}) for each in module.imports]
        packages = [PackageTime(name, own[name], total[name]) for name in own]
        return sorted(packages, key=lambda package: (-package.own, package.name))[:count]


def parse_import_time(text: str) -> ImportTimes:
    """Return what ``python -X importtime`` has printed.

    A module is printed after those that it imports, which are indented: https://docs.python.org/3/using/cmdline.html#cmdoption-X
    """
    by_depth: dict[int, list[ImportedModule]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            continue  # a line that the application has printed
        depth = len(match[3]) // 2
        # What a failed import has left deeper than its own line does not belong to another module.
        imports = by_depth.pop(depth + 1, [])
        for deeper in [each for each in by_depth if each > depth + 1]:
            del by_depth[deeper]
        by_depth.setdefault(depth, []).append(ImportedModule(match[4], int(match[1]), int(match[2]), imports))
    return ImportTimes(by_depth.get(0, []))
