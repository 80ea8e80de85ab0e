"""Parts of wide tasks: lists of nodes, what a step inherits, who is let in, how clocks compare."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from specc_runtime.slots.nodelist import expand
from specc_runtime.slots.places import lay_out, process_places
from specc_runtime.slots.slots import NoDevice
from specc_runtime.wide import clock_offset
from specc_runtime.wide.gathering import least_cpus, step_environment, step_options
from specc_runtime.wide.link import Door, Link, LinkLost, knock
from specc_runtime.wide.ports import FreePort


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("login", ("login",)),
        ("n[1-3]", ("n1", "n2", "n3")),
        ("n[08-10,12],gpu7", ("n08", "n09", "n10", "n12", "gpu7")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("127.0.0.[1-2]", ("127.0.0.1", "127.0.0.2")),
        ("a[1-2]-ib,b", ("a1-ib", "a2-ib", "b")),
        ("", ()),
    ],
)
def test_a_list_of_nodes_is_spelled_out(text: str, names: tuple[str, ...]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize("text", ["n[1-", "n[]", "n]1[", "a,,b", "n[1-999999999]"])
def test_what_is_no_list_of_nodes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no name|no list|more than"):
        expand(text)


def test_a_step_is_not_told_what_the_step_around_it_was_asked_for() -> None:
    kept = {"SLURM_CONF": "c", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]", "PATH": "p"}
    dropped = {"SLURM_NTASKS": "1", "SLURM_CPU_BIND": "x", "SLURM_STEP_ID": "0", "PMI_RANK": "0"}
    assert step_environment({**kept, **dropped, "SRUN_DEBUG": "3"}) == kept


@pytest.mark.parametrize(("text", "least"), [("8(x2),4", 4), ("16", 16), ("", None), ("x", None)])
def test_the_cpus_of_a_step_are_those_of_the_smallest_node(text: str, least: int | None) -> None:
    assert least_cpus(text) == least


def test_a_step_shares_what_its_job_holds() -> None:
    options = step_options(["n1", "n2"], {"SLURM_JOB_CPUS_PER_NODE": "4(x2)"})
    assert options[:5] == [
        "--overlap", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--nodelist=n1,n2",
    ]  # fmt: skip
    assert "--kill-on-bad-exit=1" in options
    assert options[-1] == "--cpus-per-task=4"


class Visitor(threading.Thread):
    """Knocks at a door, and answers for its clock until the line ends."""

    def __init__(self, key: str) -> None:
        super().__init__(daemon=True)
        self.key = key
        self.refused: str | None = None

    def run(self) -> None:
        try:
            link = knock(self.key)
        except LinkLost as error:
            self.refused = str(error)
            return
        try:
            while link.next()["do"] == "clock":
                clock_offset.answer(link)
        except LinkLost:
            link.close()


def test_who_knows_the_secret_is_let_in_and_its_clock_compared() -> None:
    door = Door(only_here=True)
    visitor = Visitor(door.key())
    visitor.start()
    link = door.admit()
    assert link is not None
    found = clock_offset.measure(link)
    assert abs(found.offset_ns) <= found.uncertainty_ns < 50_000_000
    link.close()
    door.close()
    visitor.join(10)


def test_a_stranger_is_turned_away_and_does_not_believe_the_leader() -> None:
    door = Door(only_here=True)
    visitor = Visitor(json.dumps({**json.loads(door.key()), "secret": "another"}))
    visitor.start()
    assert door.admit() is None
    visitor.join(10)
    assert "it does not know the secret" in (visitor.refused or "")
    door.close()


def test_noise_at_the_door_is_turned_away() -> None:
    door = Door(only_here=True)
    with socket.create_connection(("127.0.0.1", json.loads(door.key())["port"])) as noise:
        noise.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert door.admit() is None
    door.close()


def test_a_line_that_ends_is_lost() -> None:
    mine, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(LinkLost):
        Link(mine).next()
    mine.close()


def test_a_free_port_is_kept_from_others_until_it_is_released() -> None:
    port = FreePort()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("", port.number))
    port.release()
    assert not port.is_taken()
    with socket.create_server(("", port.number)):
        assert port.is_taken()


def shape(slots: int, **task: Any) -> dict[str, Any]:
    one = {"gpus": 0, "cpus": 1, "nodes": 1, "processes_per_node": 1, **task}
    return {"name": "1-cpu", "slots": slots, "task": one}


def slurm(nodes: str, own: str, **more: str) -> dict[str, str]:
    return {"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": nodes, "SLURMD_NODENAME": own, **more}


def test_slots_of_four_nodes_are_dealt_to_pairs_this_one_first() -> None:
    slots = lay_out(shape(2, nodes=2), slurm("n[1-4]", "n3"))
    spans = [slot.span for slot in slots]
    assert [span.nodes for span in spans if span] == [("n3", "n4"), ("n1", "n2")]


def test_narrow_slots_on_other_nodes_are_reached_by_srun() -> None:
    slots = lay_out(shape(4), slurm("n[1-2]", "n1"))
    found = [None if slot.span is None else (slot.span.nodes, slot.span.place) for slot in slots]
    assert found == [None, None, (("n2",), 0), (("n2",), 1)]


def test_a_job_with_too_few_nodes_is_told() -> None:
    with pytest.raises(NoDevice, match="a task needs 2 nodes, but this job has 1"):
        lay_out(shape(1, nodes=2), slurm("n1", "n1"))


def test_each_process_gets_its_own_entry_of_the_gpus_seen_on_its_node() -> None:
    task = shape(1, gpus=1, nodes=2, processes_per_node=2)["task"]
    span = {"per_node": 2, "beside": 2, "place": 1, "task": task}
    found = process_places(span, {"CUDA_VISIBLE_DEVICES": "3,5,6,7"}, pretended=(0, 1))
    assert [place.env["CUDA_VISIBLE_DEVICES"] for place in found] == ["6", "7"]
