"""CPU package energy through the pyRAPL package, where it works.

It reads the same counters as `powercap` and is second choice: it knows no wrap. It is asked for
the package domain alone, its warnings and log lines are kept quiet, its uJ become J.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Tuple, Union

from .base import Unavailable, why

LABEL = "window"
COUNTERS = "/sys/class/powercap/intel-rapl"
"""Where pyRAPL looks; it cannot be told another place."""


class PyRapl:
    """A pyRAPL that was set up."""

    scope = "package"
    source = "pyrapl"
    poll_every_s: Optional[float] = None

    def __init__(self, module: Any) -> None:
        self._module = module

    def start(self) -> PyRaplWindow:
        """Begin a window."""
        return PyRaplWindow(self._module)


class PyRaplWindow:
    """One pyRAPL measurement."""

    def __init__(self, module: Any) -> None:
        self._broken: Optional[str] = None
        self._measurement: Any = None
        try:
            self._measurement = module.Measurement(LABEL)
            self._measurement.begin()
        except Exception as error:  # a sensor's read never raises
            self._broken = why(error)

    def poll(self) -> None:
        """Do nothing: pyRAPL reads at both ends only."""

    def stop(self) -> Tuple[Optional[float], Optional[str], Dict[str, object]]:
        """End the window. Returns joules of all packages or None, the reason, the detail."""
        if self._broken is not None:
            return None, self._broken, {}
        try:
            self._measurement.end()
            packages_uj = self._measurement.result.pkg
        except Exception as error:  # a sensor's read never raises
            return None, why(error), {}
        # a wrapped counter gives a negative step, and None when every package wrapped
        if not packages_uj or any(step < 0 for step in packages_uj):
            return None, "pyRAPL lost the window: a counter wrapped or was not read", {}
        joules = sum(packages_uj) / 1e6
        if joules <= 0:
            return None, "the counters did not move in this window", {}
        return joules, None, {"packages_j": [step / 1e6 for step in packages_uj]}


def open(pyrapl: Any = None, *, counters: str = COUNTERS) -> Union[PyRapl, Unavailable]:
    """Set pyRAPL up for the package domain. `pyrapl` stands in for the module."""
    module = pyrapl
    # importing it costs what pandas costs: not where it has nothing to read
    if module is None and not os.path.isdir(counters):
        return Unavailable("pyrapl", f"no {counters}: pyRAPL reads nothing else")
    with _quiet():
        try:
            if pyrapl is None:
                import pyRAPL

                module = pyRAPL
            module.setup(devices=[module.Device.PKG])
        except ImportError:
            return Unavailable("pyrapl", "the Python package pyRAPL is not installed")
        except PermissionError as error:
            return Unavailable("pyrapl", f"permission denied: {why(error)}")
        except Exception as error:  # PyRAPLException is known only once the import worked
            return Unavailable("pyrapl", f"pyRAPL cannot be set up: {why(error)}")
    return PyRapl(module)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide pyRAPL's warnings, and undo the log handler that its import puts on the root logger."""
    root = logging.getLogger()
    handlers, disabled = list(root.handlers), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        for handler in [h for h in root.handlers if h not in handlers]:
            root.removeHandler(handler)
