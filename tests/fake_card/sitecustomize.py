"""Python starts here: a capture that is to be killed at a moment of its own is prepared for it.

The folder FAKE_CARD may hold kill.json: a file, and "before" or "after", around whose writing the
whole process is killed, as the power would.
"""

import json
import os
import signal
from pathlib import Path


def die_at(file, when):
    """Be killed right before or right after a file is moved to its name, whoever moves it."""
    replace = os.replace

    def deadly(source, target, **words):
        mine = str(target).endswith(file)
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target, **words)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = deadly


if (orders := Path(os.environ.get("FAKE_CARD", "")) / "kill.json").is_file():
    die_at(**json.loads(orders.read_text()))
