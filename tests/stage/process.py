"""The types of the fixtures that start programs."""

import subprocess
from collections.abc import Callable

from tests.stage.program import Program
from tests.stage.wire import Browser, Device

NewDevice = Callable[..., Device]


NewBrowser = Callable[..., Browser]


MakeProgram = Callable[..., Program]


Command = Callable[..., "subprocess.CompletedProcess[str]"]
