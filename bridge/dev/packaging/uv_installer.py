"""Installs requirements with uv."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.installer_commands import installed_versions, run_command, subject, uv_error, write_lines
from bridge.dev.packaging.local_projects import (
    build_command,
    build_local_project,
    setuptools_variables,
    version_files_kept,
)
from bridge.dev.packaging.pip_config import uv_index_options
from bridge.dev.packaging.pylock import Pylock, keep_hashes, normalized_name, read_pylock, sha256, toml_text
from bridge.dev.packaging.uv_workspace import with_path_sources
from bridge.dev.packaging.wheels import fits, missing_wheel_message

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from bridge.dev.packaging.project_requirements import Requirements
    from bridge.dev.packaging.requirements_txt import LinesByIndex
    from bridge.dev.packaging.target import Target

# uv's messages about a package that has no wheel, or none for the target.
_NO_WHEEL = re.compile(r"no usable wheels|no wheels with a matching|[Bb]uilding .*source.* is disabled")
# uv's message about the object of an annotated tag, which locks of Poetry 1 have in the place of its commit.
_TAG_OBJECT = re.compile(r"Exact Git revision `([0-9a-f]{40})` does not match precise commit `([0-9a-f]{40})`")
# Options of `pip install` that uv does not have: https://pip.pypa.io/en/stable/cli/pip_install/. uv acts as they say in
# any case, or they are about pip's output, or they describe the target, which the bridge's own options set.
_PIP_ONLY = {
    "-I", "--ignore-installed", "--no-user", "--use-pep517", "--prefer-binary", "--no-input", "--no-clean", "--debug",
    "--require-virtualenv", "--no-warn-script-location", "--no-warn-conflicts", "--no-python-version-warning",
    "--check-build-dependencies",
}  # fmt: skip
_PIP_ONLY_WITH_VALUE = {
    "--platform", "--python-version", "--implementation", "--abi", "--upgrade-strategy", "--src", "--progress-bar",
    "--root-user-action", "--exists-action", "--use-feature", "--use-deprecated", "--resume-retries", "--log",
}  # fmt: skip
_UV_NAMES = {"--no-dependencies": "--no-deps"}
# https://docs.astral.sh/uv/reference/environment/
_UV_VARIABLES = {
    "--timeout": ("UV_HTTP_TIMEOUT",),
    "--default-timeout": ("UV_HTTP_TIMEOUT",),
    "--retries": ("UV_HTTP_RETRIES",),
    "--proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "--client-cert": ("SSL_CLIENT_CERT",),
}
# The oldest Python whose wheels are looked for when a release has no wheel for the target.
_OLDEST_PYTHON = "3.8"
_INDEX_OPTIONS = {"-i", "--index-url", "--default-index", "--index", "--extra-index-url", "--no-index"}
# Options of `uv pip install` that `uv pip compile` does not have, and options that change a resolution.
_INSTALL_ONLY = {"--require-hashes", "--no-verify-hashes", "--reinstall", "--strict", "--exact", "--compile-bytecode"}
_RESOLVE_ONLY = {"-U", "--upgrade", "--no-deps", "--pre", "--require-hashes"}


def uv_options(pip_args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return options of ``pip install`` as options of ``uv pip install``, and environment variables for the rest.

    Options without a meaning for uv are left out, so that a project's options for pip need not be changed.
    """
    options: list[str] = []
    variables: dict[str, str] = {}
    rest = iter(pip_args)
    for arg in rest:
        name, equals, value = arg.partition("=")
        if name in _PIP_ONLY_WITH_VALUE or name in _UV_VARIABLES:
            value = value if equals else next(rest, "")
            variables |= dict.fromkeys(_UV_VARIABLES.get(name, ()), value)
        elif arg not in _PIP_ONLY:
            options.append(_UV_NAMES.get(arg, arg))
    return options, variables


class UvInstaller:
    """Installs requirements for a target into a folder.

    A uv.lock, a pylock.toml, and requirements with local projects become a lock of every package, from which uv
    installs; other requirements are resolved and installed in one step.

    Args:
        uv: the path of the program.
        requirements: the packages.
        target: the environment that they are for.
        folder: the folder to install into.
        temporary: an existing folder for temporary files.
        pip_args: the user's options for ``pip install``.
        build: names of packages that may be built from their sources although other targets have wheels.
    """

    def __init__(
        self,
        uv: str,
        requirements: Requirements,
        target: Target,
        folder: Path,
        temporary: Path,
        pip_args: Sequence[str] = (),
        build: Sequence[str] = (),
    ) -> None:
        self._uv, self._requirements, self._target, self._folder = uv, requirements, target, folder
        self._temporary = temporary / "uv"
        self._temporary.mkdir(exist_ok=True)
        self._build = {normalized_name(name) for name in build}
        self._pip_args, self._variables = uv_options(pip_args)

    def install(self, wheels: Sequence[str] = ()) -> None:
        """Install the requirements, and then *wheels* with the versions that the requirements have.

        Raises:
            PackagingError: a package does not exist, or not for the target.
        """
        requirements = self._requirements
        if requirements.pylock is not None:
            self._install_lock(requirements.pylock, is_universal=True)
        elif requirements.pyproject is not None:
            selection, file = requirements.selection, str(requirements.pyproject)
            args = [file, *(arg for extra in selection.extras for arg in ("--extra", extra))]
            args += [arg for group in selection.groups for arg in ("--group", f"{file}:{group}")]
            args += ["--overrides", self._write(requirements.overrides)] if requirements.overrides else []
            self._install_lock(self._compile([*args, *self._index_options(None, [])]))
        else:
            parts: LinesByIndex = {None: requirements.lines} if requirements.lines else {}
            for index, lines in (parts | requirements.by_index).items():
                self._install_lines(lines, index)
        if wheels:
            self._install_wheels(wheels)

    def _install_lines(self, lines: list[str], index: str | None) -> None:
        args = [*self._index_options(index, lines), *(["--no-deps"] if self._requirements.is_complete else [])]
        if self._requirements.constraints:
            args += ["-c", self._write(self._requirements.constraints)]
        if self._requirements.package_indexes:
            self._install_lock(self._compile([*args, self._write_project(lines)]))
            return
        file = self._write(lines)
        if not self._requirements.is_local:
            options = [*self._install_options(), "--only-binary", ":all:"]
            if self._requirements.is_complete and all("--hash" in line or " @ " in line for line in lines):
                options += self._no_hashes_needed()
            done = self._pip("install", *options, *args, "-r", file, *self._pip_args)
            if done.returncode == 0:
                return
            if not _NO_WHEEL.search(done.stderr):
                self._raise(done)
        lock = self._compile([*args, file])
        keep_hashes(lock, [*lines, *self._requirements.constraints])
        self._install_lock(lock)

    def _compile(self, args: Sequence[str]) -> Pylock:
        """Return the lock of requirements for the target; preferably of packages that have wheels."""
        file = self._new_file("pylock.toml")
        pip_args = [arg for arg in self._pip_args if arg not in _INSTALL_ONLY]
        options = ["--quiet", "--format", "pylock.toml", "--no-header", "--no-annotate", "--output-file", str(file)]
        variables = setuptools_variables(file.parent)
        with version_files_kept(with_path_sources(self._requirements.local_folders())):
            for only_binary in (["--only-binary", ":all:"], []):
                done = self._pip("compile", *options, *only_binary, *args, *pip_args, variables=variables)
                if done.returncode == 0:
                    return read_pylock(file)
        self._raise(done)
        raise AssertionError

    def _install_lock(self, lock: Pylock, *, is_universal: bool = False) -> None:
        """Install the packages in a lock.

        Args:
            lock: the lock.
            is_universal: whether the lock has the wheels of all targets, and not only those that fit this one.
        """
        built = [self._with_wheel(lock, package) for package in lock.packages]
        if not built:
            return
        lock = Pylock({**lock.content, "packages": built}, lock.folder)
        without_wheels = [package for package in built if not package.get("wheels")]
        names = [package["name"] for package in without_wheels if "sdist" in package]
        if not is_universal:
            self._check_other_targets([package for package in without_wheels if "sdist" in package])
        to_build = {normalized_name(name) for name in names} | self._build
        to_build |= {package["name"] for package in without_wheels if "vcs" in package or _is_source_archive(package)}
        binary = [package["name"] for package in built if normalized_name(package["name"]) not in to_build]
        options = [arg for name in binary for arg in ("--only-binary", name)]
        selection = self._requirements.selection if self._requirements.pylock is not None else None
        if selection:
            options += [arg for extra in selection.extras for arg in ("--extra", extra)]
            # uv takes the groups that are named in place of the default ones.
            groups = [*lock.content.get("default-groups", []), *selection.groups] if selection.groups else []
            options += [arg for group in groups for arg in ("--group", group)]
        is_locked = self._requirements.is_complete or self._requirements.pylock is not None
        if is_locked and all("vcs" in package or _has_hashes(package) for package in built):
            options += self._no_hashes_needed()
        # A lock has no credentials; uv uses those of an index for all files from there.
        options += [arg for url in self._requirements.indexes if "@" in url for arg in ("--index", url)]
        file = lock.write(self._new_file("pylock.toml"))
        pip_args = [arg for arg in self._pip_args if arg not in _RESOLVE_ONLY]
        will_build = bool(to_build.intersection(normalized_name(package["name"]) for package in built))
        done = self._pip(
            "install", *self._install_options(), *options, "-r", str(file), *pip_args, shows_builds=will_build
        )
        if done.returncode == 0:
            return
        for package in built:
            wheels = [wheel_name(wheel) for wheel in package.get("wheels", [])]
            mentioned = re.search(rf"(?<![\w.-]){re.escape(package['name'])}(?![\w.-])", done.stderr)
            if wheels and mentioned and not any(fits(wheel, self._target) for wheel in wheels):
                raise PackagingError(self._missing_wheel(package["name"], package.get("version", ""), wheels))
        if will_build:
            raise PackagingError(
                f"A requirement has no wheel for {self._target}, and building one from its sources failed:\n"
                f"{uv_error(done.stderr)}\n"
                "Require a version that has a wheel for this target, or change the target with --python, --arch or "
                "--platform."
            )
        self._raise(done)

    def _with_wheel(self, lock: Pylock, package: dict[str, Any]) -> dict[str, Any]:
        """Return a package with its wheel if it is a local project, which is built; others unchanged."""
        if "directory" not in package:
            return package
        folder = lock.path(package["directory"])
        wheel = build_local_project(folder, self._temporary, build_command(self._uv, None), run_command)
        archive = {"path": str(wheel), "hashes": {"sha256": sha256(wheel)}}
        return {**{key: value for key, value in package.items() if key != "directory"}, "archive": archive}

    def _check_other_targets(self, packages: list[dict[str, Any]]) -> None:
        """Raise an error for a package that has wheels for other targets, unless it is to be built."""
        missing = []
        for package in packages:
            name, version = package["name"], package.get("version", "")
            if normalized_name(name) in self._build:
                continue
            if wheels := self._all_wheels(name, version):
                missing.append((name, version, wheels))
        pinned = [each for each in missing if self._is_pinned(each[0])]
        if missing:
            # Other versions of packages that are not pinned may fit when those that are pinned do.
            raise PackagingError("\n".join(self._missing_wheel(*each) for each in pinned or missing))

    def _all_wheels(self, name: str, version: str) -> list[str]:
        """Return the file names of the wheels of a release for all targets."""
        # uv lists the wheels for one version of Python and later ones.
        for python in (self._target.python, _OLDEST_PYTHON):
            found = self._find_release(name, f"=={version}", "--universal", python=python)
            if wheels := [wheel_name(wheel) for each in found for wheel in each.get("wheels", [])]:
                return wheels
        return []

    def _find_release(
        self, name: str, specifier: str, *options: str, python: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the newest release of a package that *specifier* allows, in the indexes of the requirements."""
        file = self._new_file("pylock.toml")
        lines = self._requirements.lines
        settings = [line for line in lines if line.startswith("-") and line != "--require-hashes"]
        args = ["--quiet", "--format", "pylock.toml", "--no-deps", "--output-file", str(file), *options]
        args += [*self._index_options(self._index_of(name), lines), self._write([*settings, f"{name}{specifier}"])]
        args += [arg for arg in self._pip_args if arg not in {*_INSTALL_ONLY, "--no-deps"}]
        return read_pylock(file).packages if self._pip("compile", *args, python=python).returncode == 0 else []

    def _is_pinned(self, name: str) -> bool:
        lines = [*self._requirements.all_lines, *self._requirements.constraints]
        return any("==" in line and normalized_name(line) == normalized_name(name) for line in lines)

    def _missing_wheel(self, name: str, version: str, wheels: list[str]) -> str:
        """Return the message about a release without a wheel for the target."""
        fitting = [
            f"{name}=={package['version']}"
            for operator in "<>"
            for package in self._find_release(name, f"{operator}{version}", "--only-binary", ":all:")
        ]
        return missing_wheel_message(name, version, wheels, fitting, self._target)

    def _install_wheels(self, wheels: Sequence[str]) -> None:
        """Install wheels without changing what is installed already."""
        constraints = self._write(installed_versions(self._folder))
        pip_args = [arg for arg in self._pip_args if arg not in ("--require-hashes", "--no-deps", "--no-index")]
        index = self._index_options(None, self._requirements.lines)
        # The wheels have no hashes, whatever the project's settings require of its own requirements.
        options = [*self._install_options(), "--no-require-hashes", "--only-binary", ":all:", "-c", constraints]
        variables = {"UV_REQUIRE_HASHES": "", "UV_NO_DEPS": ""}
        done = self._pip("install", *options, *index, *pip_args, *wheels, variables=variables)
        if done.returncode:
            origin = f" with those in {self._requirements.origin}" if self._requirements.origin else ""
            raise PackagingError(
                f"The requirements of the bridge cannot be installed{origin}:\n{uv_error(done.stderr)}\n"
                "Change the version of the package that the message names."
            )

    def _index_of(self, name: str) -> str | None:
        for index, lines in self._requirements.by_index.items():
            if any(normalized_name(line) == normalized_name(name) for line in lines):
                return index
        return None

    def _index_options(self, index: str | None, lines: Sequence[str]) -> list[str]:
        """Return options for the index of some requirements: their own one, else those of pip's configuration."""
        if index is not None:
            return ["--default-index", index]
        if any(arg.partition("=")[0] in _INDEX_OPTIONS for arg in self._pip_args):
            return []
        options = uv_index_options(self._requirements.folder)
        if self._requirements.default_index is not None:
            options += ["--default-index", self._requirements.default_index]
        for url in self._requirements.extra_indexes:
            options += ["--index", url, "--index-strategy", "unsafe-best-match"]
        names_index = any(line.startswith(("-i ", "--index-url", "--no-index")) for line in lines)
        if names_index and "--default-index" in options:
            position = options.index("--default-index")
            del options[position : position + 2]
        return list(_without_repeated_strategy(options))

    def _write_project(self, lines: Sequence[str]) -> str:
        """Write a pyproject.toml with requirements and the indexes of some of them, and return its path."""
        indexes = self._requirements.package_indexes
        numbers = {url: f"index-{number}" for number, url in enumerate(dict.fromkeys(indexes.values()))}
        sources = {name: {"index": numbers[url]} for name, url in indexes.items()}
        tables = [{"name": name, "url": url, "explicit": True} for url, name in numbers.items()]
        file = self._new_file("pyproject.toml")
        project = {"name": "requirements-of-the-project", "version": "0", "dependencies": list(lines)}
        content = {"project": project, "tool": {"uv": {"sources": sources, "index": tables}}}
        file.write_text(toml_text(content), encoding="utf-8")
        return str(file)

    def _no_hashes_needed(self) -> list[str]:
        """Return the option for a lock whose packages have a hash or a commit, even if the user requires hashes."""
        self._variables["UV_REQUIRE_HASHES"] = ""
        return ["--no-require-hashes"]

    def _install_options(self) -> list[str]:
        return ["--no-progress", "--target", str(self._folder)]

    def _pip(
        self,
        command: str,
        *args: str,
        python: str | None = None,
        shows_builds: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of ``uv pip`` for the target.

        Args:
            command: ``install`` or ``compile``.
            args: its arguments.
            python: a Python version for which packages of all platforms are chosen, in place of the target.
            shows_builds: whether the names of packages are printed when their builds begin and end.
            variables: environment variables.
        """
        platform = ["--python-platform", self._target.uv_platform] if python is None else []
        target = ["--python", sys.executable, "--python-version", python or self._target.python, *platform]
        environment = {"UV_PREVIEW_FEATURES": "pylock", **self._variables, **(variables or {})}
        words = [self._uv, "pip", command, *target, *args]
        while True:
            done = run_command(words, self._requirements.folder, environment, shows_builds=shows_builds)
            tag = _TAG_OBJECT.search(done.stderr)
            if not done.returncode or tag is None or not self._replace_in_files(args, tag[1], tag[2]):
                return done

    def _replace_in_files(self, args: Sequence[str], old: str, new: str) -> bool:
        """Replace a text in the temporary files among the arguments of uv, and return whether one of them has it."""
        files = [Path(arg) for arg in args if arg.startswith(str(self._temporary)) and Path(arg).is_file()]
        texts = {file: file.read_text(encoding="utf-8") for file in files}
        for file, text in texts.items():
            file.write_text(text.replace(old, new), encoding="utf-8")
        return any(old in text for text in texts.values())

    def _new_file(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(dir=self._temporary)) / name

    def _write(self, lines: Sequence[str]) -> str:
        return write_lines(self._new_file("requirements.txt"), lines)

    def _raise(self, done: subprocess.CompletedProcess[str]) -> None:
        raise PackagingError(f"{subject(self._requirements)} cannot be installed:\n{uv_error(done.stderr)}")


def wheel_name(wheel: Mapping[str, Any]) -> str:
    """Return the file name of a wheel in a pylock.toml."""
    location = wheel.get("name") or wheel.get("url") or wheel.get("path") or ""
    return str(location).partition("#")[0].rpartition("/")[2]


def _is_source_archive(package: Mapping[str, Any]) -> bool:
    archive = package.get("archive", {})
    return bool(archive) and not str(archive.get("url") or archive.get("path")).partition("#")[0].endswith(".whl")


def _has_hashes(package: Mapping[str, Any]) -> bool:
    files = [*package.get("wheels", []), *(package[key] for key in ("sdist", "archive") if key in package)]
    return all(file.get("hashes") for file in files)


def _without_repeated_strategy(options: list[str]) -> list[str]:
    """Return options with --index-strategy once, because uv refuses an option that is repeated."""
    strategy = ["--index-strategy", "unsafe-best-match"]
    if strategy[0] not in options:
        return options
    return [*(option for option in options if option not in strategy), *strategy]
