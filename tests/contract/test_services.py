"""The services of an engine answer the steps of a script."""

import inspect
import typing

from isolation_spec.contract.services import Services
from isolation_spec.model.scenario import Step

OWN = {"fail", "return"}
"""Steps that an agent takes without its engine."""


def test_each_step_has_a_service_of_its_name() -> None:
    """Every step that needs the engine is one method of `Services`, beside identity."""
    steps = {one.__struct_config__.tag for one in typing.get_args(Step)}
    services = {
        name
        for name, member in inspect.getmembers(Services, inspect.isfunction)
        if not name.startswith("_")
    }

    assert {"identity"} | (steps - OWN) == services
