"""Metrics and functions in a PromQL expression, found by its tokens. Validation is left to promtool."""

from __future__ import annotations

import itertools
import re

# The order matters: 5m is a number and not a name, and <= is one sign.
_TOKEN = re.compile(
    r"""
    \s+|\#[^\n]*                                            # whitespace and comments, ignored
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    |(?P<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\.\d\w*)
    |(?P<name>[A-Za-z_:][\w:]*)
    |(?P<sign>==|!=|<=|>=|=~|!~|.)
    """,
    re.VERBOSE | re.DOTALL,
)

_COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}

_OPERATORS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}

# Followed by labels in parentheses.
_LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}


def metric_names(expression: str) -> set[str]:
    """Return the names of the metrics that an expression reads.

    Parameters
    ----------
    expression
        PromQL without dashboard variables.

    Returns
    -------
    set of str
        Names of series: those of histograms end in ``_bucket``, ``_sum`` or ``_count``.

    Examples
    --------
    >>> sorted(metric_names('sum by (job) (rate(a_total{code="b"}[5m])) / on (job) c:d:e > scalar(f)'))
    ['a_total', 'c:d:e', 'f']
    >>> metric_names('max_over_time({__name__="a_total", job="b"}[5m:1m] offset 5m)')
    {'a_total'}
    """
    selected = re.findall(r'[{,]\s*__name__\s*=\s*"([^"]+)"', expression)
    return {name for name, _ in _metrics_with_functions(expression)} | set(selected)


def functions_over(expression: str, metric: str) -> set[str]:
    """Return the functions and aggregations that enclose a metric, at any depth.

    Examples
    --------
    >>> sorted(functions_over("sum by (b) (rate(a_sum[5m])) / count(c)", "a_sum"))
    ['rate', 'sum']
    """
    return {
        function for name, functions in _metrics_with_functions(expression) if name == metric for function in functions
    }


def compared_with(expression: str) -> list[str]:
    """Return the first token on the right side of each comparison: a number, a name or a sign.

    Examples
    --------
    >>> compared_with("rate(a[5m]) > 0 and b{c!='d'} <= bool scalar(e)")
    ['0', 'scalar']
    """
    tokens = [token for token in _tokens_outside_selectors(expression) if token != "bool"]
    return [right for sign, right in itertools.pairwise(tokens) if sign in _COMPARISONS]


def _metrics_with_functions(expression: str) -> list[tuple[str, set[str]]]:
    """Return each occurrence of a metric with the enclosing functions and aggregations."""
    tokens = _tokens_outside_selectors(expression)
    found: list[tuple[str, set[str]]] = []
    enclosing: list[str] = []
    aggregation = before = ""
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "(":
            enclosing.append(before)
            before = ""
        elif token == ")":
            # In `sum by (labels) (...)`, the second parentheses belong to the aggregation.
            before = aggregation if enclosing.pop() in _LABEL_LISTS else ""
            aggregation = ""
        elif token in _LABEL_LISTS:
            aggregation, before = before, token
        else:
            is_metric = _is_name(token) and following != "(" and following not in ("by", "without")
            if is_metric and not _LABEL_LISTS.intersection(enclosing[-1:]):
                found.append((token, set(enclosing) - {""}))
            before = token if _is_name(token) and not is_metric else ""
    return found


def _tokens_outside_selectors(expression: str) -> list[str]:
    """Split an expression into tokens, without selectors, ranges, strings and comments."""
    tokens: list[str] = []
    depth = 0
    for match in _TOKEN.finditer(expression):
        token = match.group()
        if token in ("{", "["):
            depth += 1
        elif token in ("}", "]"):
            depth -= 1
        elif not depth and match.lastgroup in ("number", "name", "sign"):
            tokens.append(token)
    return tokens


def _is_name(token: str) -> bool:
    """Return whether a token can be the name of a metric or function."""
    return (token[0].isalpha() or token[0] in "_:") and token.lower() not in _OPERATORS
