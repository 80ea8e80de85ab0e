"""The training loop: epochs of steps, callbacks after each, a checkpoint after each epoch.

What callbacks see of it stands in interface.py: `Callback`, `State`, `Step`, cadences, `numbers`.
"""

from __future__ import annotations
