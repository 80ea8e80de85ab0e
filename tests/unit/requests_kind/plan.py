"""What collate asks of the plan of a kind that only tests know."""

from __future__ import annotations

MEASURES = True
