"""CloudFormation's functions in a template, as far as the template itself decides their values.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bridge.dev.projects.config_values import KnownText, mapping

if TYPE_CHECKING:
    from collections.abc import Callable

_REFERENCE = re.compile(r"\$\{(!?)([^{}]*)\}")
_MAX_DEPTH = 50  # ends conditions that refer to themselves


class _NoValue:
    """The value of ``AWS::NoValue``, which removes a property or an item."""


class _Unresolved(Exception):  # noqa: N818 - it never leaves this module
    """The value is unknown before a deployment."""


_NO_VALUE = _NoValue()


class TemplateResolver:
    """Replaces functions by their values. Parameters have their defaults.

    Args:
        template: the content of a template.
    """

    def __init__(self, template: dict[str, Any]) -> None:
        self._parameters = mapping(template.get("Parameters"))
        self._mappings = mapping(template.get("Mappings"))
        self._conditions = mapping(template.get("Conditions"))
        self._depth = 0
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
        }

    def resolve(self, value: Any) -> Any:
        """Return *value* with all functions replaced whose values are known; the others stay as they are."""
        if isinstance(value, list):
            return [item for each in value if (item := self.resolve(each)) is not _NO_VALUE]
        if isinstance(value, str):
            return KnownText(value)  # outside of Fn::Sub, "${…}" is text
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in self._functions:
                try:
                    return self._functions[name](argument)
                except _Unresolved:
                    return value
            if name.startswith("Fn::"):
                return value
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def condition(self, name: Any) -> bool | None:
        """Return whether a condition of the template is true; None if that is unknown before a deployment."""
        try:
            return self._condition({"Condition": name})
        except _Unresolved:
            return None

    def _known(self, value: Any) -> Any:
        """Return the value of an argument.

        Raises:
            _Unresolved: the argument has a function whose value is not known.
        """
        resolved = self.resolve(value)
        if isinstance(resolved, dict):
            raise _Unresolved
        return resolved

    def _text(self, value: Any) -> str:
        known = self._known(value)
        if isinstance(known, bool):
            return "true" if known else "false"
        if not isinstance(known, (str, int, float)):
            raise _Unresolved
        return str(known)

    def _list(self, value: Any, length: int | None = None) -> list[Any]:
        """Return an argument that is a list, of *length* items."""
        known = self._known(value) if isinstance(value, dict) else value
        if not isinstance(known, list) or (length is not None and len(known) != length):
            raise _Unresolved
        return known

    def _ref(self, name: Any) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        parameter = mapping(self._parameters.get(name)) if isinstance(name, str) else {}
        kind, default = str(parameter.get("Type", "String")), parameter.get("Default")
        if default is None or kind.startswith("AWS::SSM::"):  # the default names a parameter of Systems Manager
            raise _Unresolved
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [KnownText(item.strip()) for item in str(default).split(",")]
        return KnownText(default) if isinstance(default, str) else default

    def _sub(self, argument: Any) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else self._list(argument, 2)
        if not isinstance(text, str):
            raise _Unresolved

        def replacement(match: re.Match[str]) -> str:
            name = match[2].strip()
            if match[1]:
                return f"${{{match[2]}}}"
            return self._text(mapping(values).get(name, {"Ref": name}))

        return KnownText(_REFERENCE.sub(replacement, text))

    def _join(self, argument: Any) -> str:
        separator, items = self._list(argument, 2)
        return KnownText(self._text(separator).join(self._text(item) for item in self.resolve(self._list(items))))

    def _select(self, argument: Any) -> Any:
        position, items = self._list(argument, 2)
        index, values = self._text(position), self._list(items)
        if not index.isdecimal() or int(index) >= len(values):
            raise _Unresolved
        return self._known(values[int(index)])

    def _split(self, argument: Any) -> list[str]:
        separator, text = self._list(argument, 2)
        return [KnownText(part) for part in self._text(text).split(self._text(separator))]

    def _find_in_map(self, argument: Any) -> Any:
        names, default = self._list(argument)[:3], mapping(self._list(argument)[-1])
        try:
            value: Any = self._mappings
            for name in map(self._text, names):
                value = {str(key): item for key, item in mapping(value).items()}[name]
        except (KeyError, _Unresolved):
            if "DefaultValue" not in default:
                raise _Unresolved from None
            value = default["DefaultValue"]
        return self._known(value)

    def _if(self, argument: Any) -> Any:
        name, if_true, if_false = self._list(argument, 3)
        return self.resolve(if_true if self._condition({"Condition": name}) else if_false)

    def _condition(self, value: Any) -> bool:
        """Return whether a condition is true.

        Raises:
            _Unresolved: the value is unknown before a deployment.
        """
        if isinstance(value, bool) or value in ("true", "false"):
            return value in (True, "true")
        if not isinstance(value, dict) or len(value) != 1 or self._depth > _MAX_DEPTH:
            raise _Unresolved
        self._depth += 1
        try:
            ((name, argument),) = value.items()
            if name == "Condition" and argument in self._conditions:
                return self._condition(self._conditions[argument])
            if name == "Fn::Equals":
                first, second = self._list(argument, 2)
                return self._text(first) == self._text(second)
            if name == "Fn::Not":
                return not self._condition(self._list(argument, 1)[0])
            if name in ("Fn::And", "Fn::Or"):
                return self._all_or_any(self._list(argument), decisive=name == "Fn::Or")
        finally:
            self._depth -= 1
        raise _Unresolved

    def _all_or_any(self, conditions: list[Any], *, decisive: bool) -> bool:
        """Return *decisive* if a condition has this value, whether or not the others are known."""
        unresolved = False
        for condition in conditions:
            try:
                if self._condition(condition) is decisive:
                    return decisive
            except _Unresolved:
                unresolved = True
        if unresolved:
            raise _Unresolved
        return not decisive
