"""Parse what sacct, scontrol and squeue print about jobs.

Nothing here fails: what can't be read says nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from .slurm_words import ENDED, LIVE, UNKNOWN, JobWords

SACCT_FIELDS = (
    "JobID,JobIDRaw,State,ExitCode,DerivedExitCode,Reason,Partition,Account,QOS,Submit,Start,End,"
    "ElapsedRaw,TimelimitRaw,NNodes,AllocCPUS,ReqMem,ReqTRES,AllocTRES,NodeList,CPUTimeRAW,"
    "TotalCPU,MaxRSS,AveRSS"
)
SQUEUE_FIELDS = ("JobID", "State", "Reason", "NodeList", "Partition", "Account")
"""Columns of `squeue -o '%i|%T|%r|%N|%P|%a'`."""

_OOM_SIGNAL = 125  # Slurm reports a step whose cgroup ran out of memory as 0:125
_JOB = re.compile(r"([0-9]+(?:\+[0-9]+)?)(?:_([0-9]+|\[[^\]]*\]?))?(?:\.(.+))?")
_MOST_ELEMENTS = 1_000_000
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_NOTHING = ("", "None", "Unknown", "(null)", "N/A", "None assigned", "UNLIMITED")


def parse(text: str, how: str) -> Dict[str, Tuple[JobWords, ...]]:
    """Parse the text of one command: element -> its starts. Lines that are none are left out."""
    if how == "sacct":
        return _parse_sacct(text)
    rows = _scontrol_rows(text) if how == "scontrol" else _squeue_rows(text)
    found: Dict[str, Dict[int, JobWords]] = {}
    for words, index in rows:
        for job in _expand(words.job, index):
            found.setdefault(job, {})[words.restart or 0] = replace(words, job=job)
    return {
        job: tuple(starts[restart] for restart in sorted(starts)) for job, starts in found.items()
    }


def _parse_sacct(text: str) -> Dict[str, Tuple[JobWords, ...]]:
    names = SACCT_FIELDS.split(",")
    found: Dict[str, List[JobWords]] = {}
    for line in text.splitlines():
        cells = line.split("|")
        if cells[0] == "JobID":
            names = cells
            continue
        row = dict(zip(names, cells))
        match = _JOB.fullmatch(row.get("JobID", "").strip())
        if match is None or "State" not in row:
            continue
        job, index, step = match.groups()
        if step is None:
            for element in _expand(job, index):
                starts = found.setdefault(element, [])
                starts.append(_sacct_words(row, element, len(starts)))
            continue
        element = job if index is None else f"{job}_{index}"
        if found.get(element):
            found[element][-1] = _with_step(found[element][-1], row)
    return {job: tuple(starts) for job, starts in found.items()}


def _sacct_words(row: Mapping[str, str], job: str, restart: int) -> JobWords:
    minutes = _number(row.get("TimelimitRaw"))
    return replace(
        _common(row, job, "sacct"),
        restart=restart,
        node_count=_whole(row.get("NNodes")),
        qos=_said(row.get("QOS")),
        submitted=_said(row.get("Submit")),
        started=_said(row.get("Start")),
        ended=_said(row.get("End")),
        elapsed_s=_number(row.get("ElapsedRaw")),
        time_limit_s=None if minutes is None else minutes * 60,
        cpus=_whole(row.get("AllocCPUS")),
        cpu_time_s=_number(row.get("CPUTimeRAW")),
        cpu_used_s=parse_duration(row.get("TotalCPU", "")),
        requested=_said(row.get("ReqTRES")),
        allocated=_said(row.get("AllocTRES")),
        max_rss_bytes=parse_size(row.get("MaxRSS", "")),
        ave_rss_bytes=parse_size(row.get("AveRSS", "")),
    )


def _with_step(words: JobWords, row: Mapping[str, str]) -> JobWords:
    step = _common(row, words.job, "sacct")
    peaks = [words.max_rss_bytes, parse_size(row.get("MaxRSS", ""))]
    means = [words.ave_rss_bytes, parse_size(row.get("AveRSS", ""))]
    return replace(
        words,
        max_rss_bytes=max((peak for peak in peaks if peak is not None), default=None),
        ave_rss_bytes=max((mean for mean in means if mean is not None), default=None),
        out_of_memory=words.out_of_memory or step.out_of_memory,
    )


def _scontrol_rows(text: str) -> Iterator[Tuple[JobWords, Optional[str]]]:
    """Read lines of `scontrol show job -o`; a value may hold blanks, so keys are looked for."""
    for line in text.splitlines():
        row: Dict[str, str] = dict(re.findall(r"(?:^|\s)([A-Za-z][A-Za-z:/_]*)=(\S*)", line))
        if not row.get("JobId", "").isdigit() or "JobState" not in row:
            continue
        job, index = row.get("ArrayJobId", row["JobId"]), row.get("ArrayTaskId")
        if index is not None and not index.isdigit():
            index = f"[{index}]"
        mapped = {**row, "State": row["JobState"]}
        words = replace(
            _common(mapped, job, "scontrol"),
            restart=_whole(row.get("Restarts")),
            node_count=_whole(row.get("NumNodes", "").split("-")[0]),
            qos=_said(row.get("QOS")),
            submitted=_said(row.get("SubmitTime")),
            started=_said(row.get("StartTime")),
            ended=_said(row.get("EndTime")),
            elapsed_s=parse_duration(row.get("RunTime", "")),
            time_limit_s=parse_duration(row.get("TimeLimit", "")),
            cpus=_whole(row.get("NumCPUs", "").split("-")[0]),
            requested=_said(row.get("ReqTRES")),
            allocated=_said(row.get("AllocTRES", row.get("TRES"))),
        )
        yield words, index


def _squeue_rows(text: str) -> Iterator[Tuple[JobWords, Optional[str]]]:
    for line in text.splitlines():
        row = dict(zip(SQUEUE_FIELDS, line.split("|")))
        match = _JOB.fullmatch(row.get("JobID", "").strip())
        if match is not None and "State" in row:
            yield _common(row, match.group(1), "squeue"), match.group(2)


def _common(row: Mapping[str, str], job: str, how: str) -> JobWords:
    state = parse_state(row["State"])
    code, signal = _exit(row.get("ExitCode", ""))
    return replace(
        JobWords(job, how, UNKNOWN),
        state=state,
        exit_code=code,
        signal=signal,
        reason=_said(row.get("Reason")),
        nodes=_said(row.get("NodeList")),
        partition=_said(row.get("Partition")),
        account=_said(row.get("Account")),
        out_of_memory=state == "OUT_OF_MEMORY" or signal == _OOM_SIGNAL,
    )


def parse_state(text: str) -> str:
    """Return Slurm's word for a state; UNKNOWN for what is none, or is cut off beyond telling.

    "CANCELLED by 1000" is CANCELLED; a narrow column ends in "+", as in "OUT_OF_ME+".
    """
    word = text.strip().split(" ")[0].upper()
    known = LIVE | ENDED
    if word.endswith("+"):
        fitting = [state for state in known if state.startswith(word[:-1])]
        return fitting[0] if len(fitting) == 1 else UNKNOWN
    return word if word in known else UNKNOWN


def parse_duration(text: str) -> Optional[float]:
    """Turn [days-][[hours:]minutes:]seconds[.fraction] into seconds; None for anything else."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if match is None:
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups()[:3])
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(match.group(4))


def parse_size(text: str) -> Optional[int]:
    """Turn 320640K, 1.5G or 0 into bytes; None for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTP]?)", text.strip())
    return None if match is None else int(float(match.group(1)) * _UNITS[match.group(2)])


def _expand(job: str, index: Optional[str]) -> Sequence[str]:
    """Return the elements that an id stands for: 7_[1-3,5%2] is four of them."""
    if index is None:
        return (job,)
    if not index.startswith("["):
        return (f"{job}_{index}",)
    return [f"{job}_{number}" for number in _numbers(index.strip("[]").split("%")[0].split(","))]


def _numbers(parts: Iterable[str]) -> Iterator[int]:
    left = _MOST_ELEMENTS
    for part in parts:
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if match is None:
            continue  # a long list ends in "..."
        first, last, step = match.group(1), match.group(2), match.group(3)
        stretch = range(int(first), int(last or first) + 1, max(1, int(step or 1)))[:left]
        left -= len(stretch)
        yield from stretch


def _exit(text: str) -> Tuple[Optional[int], Optional[int]]:
    """Split "code:signal"; a signal of 0 is none."""
    match = re.fullmatch(r"(\d+):(\d+)", text.strip())
    if match is None:
        return None, None
    return int(match.group(1)), int(match.group(2)) or None


def _said(value: Optional[str]) -> Optional[str]:
    return None if value is None or value.strip() in _NOTHING else value.strip()


def _whole(text: Optional[str]) -> Optional[int]:
    return int(text) if text is not None and text.strip().isdigit() else None


def _number(text: Optional[str]) -> Optional[float]:
    return float(text) if text is not None and re.fullmatch(r"\d+(\.\d+)?", text.strip()) else None
