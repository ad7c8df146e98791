"""Checks an adapter, method by method, before a search."""

from isolation_spec.adapter_check.check import check_adapter
from isolation_spec.adapter_check.result import MethodResult

__all__ = ["MethodResult", "check_adapter"]
