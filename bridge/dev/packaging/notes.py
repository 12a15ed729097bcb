"""What the user should know of what went into an artifact, and of what did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError, application

if TYPE_CHECKING:
    from bridge.dev.packaging.project_files import Chosen
    from bridge.dev.packaging.requirement_files import Installed


def clashes(app: str | None, chosen: Chosen, packages: Installed) -> list[str]:
    """Files of the project that hide a requirement, a line each.

    Raises:
        PackagingError: one hides the bridge.
    """
    lines = []
    folder = application.folder_of(app)
    tops = {path.partition("/")[0] for path in chosen.files if "/" in path or path.endswith(".py")}
    if folder:  # it is on the import path, before all else
        inner = [path.removeprefix(f"{folder}/") for path in chosen.files if path.startswith(f"{folder}/")]
        tops |= {path.partition("/")[0] for path in inner if "/" in path or path.endswith(".py")}
    names = {top.removesuffix(".py"): top for top in tops}
    for module, owner in sorted(packages.modules.items()):
        if module not in names:
            continue
        if module == "bridge":
            raise PackagingError(f"{names[module]} of the project hides the bridge itself: give it another name.")
        is_package = any(f"{place}{module}/__init__.py" in chosen.files for place in ("", f"{folder}/"))
        is_mixed = any(path.startswith(f"{module}/") for path in set(chosen.files) & set(packages.files))
        if names[module].endswith(".py") or is_package or is_mixed:  # else both are parts of one namespace
            lines.append(f"{names[module]} of the project hides the requirement {owner}.")
    return lines


def left_out(chosen: Chosen, packages: Installed, *, by_patterns: bool = False) -> list[str]:
    """What is not in the artifact though somebody may look for it, a line each.

    Args:
        chosen: the project's files.
        packages: the requirements.
        by_patterns: whether another tool has chosen the files, by patterns of its own.
    """
    lines = []
    if chosen.secrets:
        hint = "A pattern that names one takes it in." if by_patterns else "--include takes one in."
        names = ", ".join(chosen.secrets[:5]) + (" …" if len(chosen.secrets) > 5 else "")
        lines.append(f"Left out, for secrets do not belong into an artifact: {names}. {hint}")
    if chosen.ignored:
        lines.append(f"Left out because of .gitignore: {chosen.ignored} files or folders. --include takes in.")
    if chosen.broken:
        lines.append(f"Left out, links that lead nowhere: {', '.join(chosen.broken)}.")
    if packages.spared:
        lines.append(f"Left out, for Lambda's runtime has them: {', '.join(packages.spared)}.")
    return lines
