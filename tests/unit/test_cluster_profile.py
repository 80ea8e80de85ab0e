"""What `specc cluster profile` makes of probes, in the words of clusters of other shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from specc import resources
from specc.clusters.probe import NoProbe, read_probes
from specc.clusters.profile import ClusterProfile, make_profile
from specc.frontend import parse_spec
from specc.model import Json
from specc.stages.validate import validate

NODE = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=32 CPUTot={cpus} AvailableFeatures={features}"
    " ActiveFeatures={features} Gres={gres} NodeAddr={name} NodeHostName={name} Version=23.11.4"
    " OS=Linux 5.14.0 #1 SMP Tue Jan 9  RealMemory={memory} State={state} CoreSpecCount={spec}"
    " ThreadsPerCore={threads} Partitions={partitions} Reason=no Gres=gpu here"
)
PARTITION = (
    "PartitionName={name} AllowGroups=ALL AllowAccounts={accounts} AllowQos={allow_qos} QoS={qos}"
    " Default={default} MaxNodes={max_nodes} MaxTime={max_time} State={state}"
    " MaxCPUsPerNode=UNLIMITED TotalNodes=3 DefMemPerNode=UNLIMITED MaxMemPerNode={max_memory}"
)
CONFIG = """\
Configuration data as of 2025-03-01T12:00:00
AccountingStorageEnforce = associations,limits
ClusterName             = lab_cluster
MaxArraySize            = {array}
"""
ASSOC = "Cluster|Account|Partition|Def QOS|QOS|MaxJobs|MaxSubmit|MaxWall\n"
QOS = "Name|MaxJobsPU|MaxSubmitPU|MaxWall\n"


def node(name: str = "g1", **more: object) -> str:
    told = {
        "cpus": 64, "features": "(null)", "gres": "(null)", "memory": 515000, "state": "IDLE",
        "spec": 0, "threads": 1, "partitions": "gpu",
    }  # fmt: skip
    return NODE.format(name=name, **{**told, **more})


def partition(name: str = "gpu", **more: object) -> str:
    told = {
        "accounts": "ALL", "allow_qos": "ALL", "qos": "N/A", "default": "YES", "state": "UP",
        "max_nodes": "UNLIMITED", "max_time": "2-00:00:00", "max_memory": "UNLIMITED",
    }  # fmt: skip
    return PARTITION.format(name=name, **{**told, **more})


def probe(
    *nodes: str,
    partitions: tuple[str, ...] = (),
    host: str = "login1",
    on: str = "",
    array: str = "1001",
    **sections: str,
) -> str:
    """Return what probe.sh prints; a section given by name replaces the answer of a command."""
    told = {
        "nodes": "\n".join(nodes or (node(),)),
        "partitions": "\n".join(partitions or (partition(),)),
        "configuration": CONFIG.format(array=array),
        "associations": "(no sacctmgr here)",
        "gpus": "(no nvidia-smi here)",
        "glibc": "ldd (GNU libc) 2.34",
        **sections,
    }
    head = (
        f"\n== specc probe 1: where and when\nhost={host}\ndate=2025-03-01T12:00:00Z\nnode={on}\n"
    )
    body = "".join(f"\n== {name}: a command\n{text}\n" for name, text in told.items())
    return f"{head}partition=\n{body}\n== end of probe\n"


def profile(*texts: str, name: str | None = None) -> ClusterProfile:
    return make_profile(read_probes("".join(texts)), name=name)


def only(*texts: str) -> dict[str, Json]:
    """Return the one partition of a profile."""
    (found,) = profile(*texts).data()["partitions"]
    return dict(found)


def reason(field: str, *texts: str) -> str:
    return str(profile(*texts).unknown()[field])


def test_a_typed_gpu_is_counted_and_named() -> None:
    found = only(probe(node(gres="gpu:a100:4(S:0-1)")))
    assert (found["gpus_per_node"], found["gpu"]) == (4, {"type": "a100"})


def test_gpus_beside_other_resources_are_counted() -> None:
    found = only(probe(node(gres="shard:16,gpu:h100:8(S:0,1),craynetwork:4")))
    assert (found["gpus_per_node"], found["gpu"]) == (8, {"type": "h100"})


def test_gpus_of_two_types_are_counted_together_and_not_named() -> None:
    text = probe(node(gres="gpu:a100:2,gpu:v100:1"))
    assert (only(text)["gpus_per_node"], "gpu" in only(text)) == (3, False)
    assert reason("gpu.gpu", text) == "not known: GPUs of several types (a100, v100)"


def test_gpus_without_a_type_are_counted() -> None:
    text = probe(node(gres="gpu:2"))
    assert only(text)["gpus_per_node"] == 2
    assert reason("gpu.gpu", text) == "not known: GPUs without a type in Gres"


def test_of_nodes_that_differ_the_smallest_is_taken_and_said() -> None:
    text = probe(node("g1", memory=515000), node("g2", memory=257000), node("g3", cpus=48))
    assert (only(text)["memory_per_node"], only(text)["cores_per_node"]) == ("257000MiB", 48)
    assert "nodes differ (1 with 48, 2 with 64), the smallest is taken" in profile(text).text()


def test_nodes_without_gpus_do_not_hide_those_with_some() -> None:
    text = probe(node("g1", gres="gpu:a100:4"), node("g2"))
    assert only(text)["gpus_per_node"] == 4
    assert "1 of 2 nodes have any" in profile(text).text()


def test_threads_are_no_cores_and_reserved_cores_are_not_offered() -> None:
    assert only(probe(node(cpus=256, threads=2, spec=4)))["cores_per_node"] == 124


def test_nodes_out_of_service_count_and_are_mentioned() -> None:
    text = probe(node("g1"), node("g2", state="DOWN*+DRAIN"), node("g3", state="FUTURE"))
    assert only(text)["nodes"] == 2
    assert "nodes: 2  # scontrol show node: 1 of them down or drained now" in profile(text).text()


def test_the_most_nodes_of_one_job_bound_the_nodes() -> None:
    text = probe(node("g1"), node("g2"), partitions=(partition(max_nodes="1"),))
    assert only(text)["nodes"] == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2-00:00:00", "48:00:00"),
        ("7-12:00:00", "7-12:00:00"),
        ("00:30:00", "00:30:00"),
        ("90", "01:30:00"),
        ("45:30", "00:45:30"),
        ("1-06", "30:00:00"),
    ],
)
def test_times_are_read_in_all_of_slurms_forms(told: str, expected: str) -> None:
    assert only(probe(partitions=(partition(max_time=told),)))["max_time"] == expected


def test_an_unlimited_time_is_no_limit() -> None:
    text = probe(partitions=(partition(max_time="UNLIMITED"),))
    assert "max_time" not in only(text)
    assert reason("gpu.max_time", text) == "none: scontrol show partition: MaxTime=UNLIMITED"


def test_the_array_size_is_the_clusters() -> None:
    assert only(probe(array="30001"))["max_array_size"] == 30001


def test_submit_limits_are_the_tightest_of_accounts_and_qos() -> None:
    assoc = ASSOC + "lab|physics||normal|long,normal|20|500|\nlab|chem|other||normal|1|1|"
    qos = QOS + "normal||200|12:00:00\nlong|2|2|\nburst|||"
    found = only(probe(associations=assoc, qos=qos))
    assert (found["max_submit_jobs"], found["max_running"]) == (200, 20)
    assert found["max_time"] == "12:00:00"


def test_the_qos_of_a_partition_binds_everybody() -> None:
    text = probe(partitions=(partition(qos="tight"),), associations=ASSOC, qos=QOS + "tight|3|7|")
    assert (only(text)["max_submit_jobs"], only(text)["max_running"]) == (7, 3)


def test_a_forbidden_sacctmgr_leaves_the_limits_out() -> None:
    text = probe(associations="sacctmgr: error: Access/permission denied\n(exit 1)")
    assert "max_submit_jobs" not in only(text)
    expected = "not known: sacctmgr: exit 1: sacctmgr: error: Access/permission denied"
    assert reason("gpu.max_submit_jobs", text) == expected


def test_a_partition_of_some_accounts_needs_one() -> None:
    found = only(probe(partitions=(partition(accounts="physics,chem", allow_qos="gpu"),)))
    assert (found["account_required"], found["qos_required"]) == (True, True)


def test_a_default_account_may_do_where_slurm_only_enforces_one() -> None:
    expected = "not known: AllowAccounts=ALL, but Slurm enforces associations; your default may do"
    assert reason("gpu.account_required", probe()) == expected


def test_features_are_those_of_any_node() -> None:
    text = probe(node("g1", features="a100,ib"), node("g2", features="a100,nvme"))
    assert only(text)["features"] == ["a100", "ib", "nvme"]


def test_the_driver_of_a_login_node_says_nothing_of_the_nodes() -> None:
    gpus = "NVIDIA T400, 535.104.05, 2048 MiB, 7.5"
    text = probe(node(gres="gpu:a100:4"), gpus=gpus)
    assert only(text)["gpu"] == {"type": "a100"}


def test_a_probe_on_a_node_tells_of_its_gpus() -> None:
    gpus = "\n".join(["NVIDIA A100-SXM4-80GB, 550.54.15, 81920 MiB, 8.0"] * 4)
    login, on_node = probe(node(gres="gpu:a100:4")), probe(host="g1.lab", on="g1", gpus=gpus)
    expected = {
        "type": "a100",
        "memory": "81920MiB",
        "compute_capability": "8.0",
        "driver": "550.54.15",
    }
    assert only(login, on_node)["gpu"] == expected


def test_the_c_library_is_that_of_a_node() -> None:
    on_node = probe(host="g1", on="g1", glibc="ldd (GNU libc) 2.28")
    assert profile(probe(), on_node).data()["glibc"] == "2.28"
    assert "glibc" not in profile(probe()).data()
    assert "login1, which is none, has 2.34" in reason("glibc", probe())


def test_an_old_python_is_passed_over_for_a_newer_one() -> None:
    found = "/usr/bin/python3: Python 3.6.8\n/usr/bin/python3.11: Python 3.11.2"
    text = probe(host="g1", on="g1", interpreters=found)
    assert profile(text).data()["python"] == "/usr/bin/python3.11"


def test_a_python_that_will_do_is_not_written_down() -> None:
    text = probe(host="g1", on="g1", interpreters="/usr/bin/python3: Python 3.9.18")
    assert "python" not in profile(text).data()


def test_a_partition_without_nodes_is_left_out_and_said() -> None:
    found = profile(probe(partitions=(partition(), partition("empty"))))
    assert [each["name"] for each in found.data()["partitions"]] == ["gpu"]
    assert "# partition empty is left out: it has no nodes\n" in found.text()


def test_names_are_slurms_unless_one_is_given() -> None:
    assert profile(probe()).data()["name"] == "lab_cluster"
    assert profile(probe(), name="mine").data()["name"] == "mine"


def test_a_cluster_that_hides_its_nodes_is_refused() -> None:
    with pytest.raises(NoProbe, match="tells of no nodes: scontrol: no scontrol here"):
        profile(probe("(no scontrol here)"))


def test_a_text_of_something_else_is_refused() -> None:
    with pytest.raises(NoProbe, match="not what probe"):
        read_probes("PARTITION AVAIL\nmain up\n")


def test_a_probe_that_was_cut_off_is_refused() -> None:
    with pytest.raises(NoProbe, match="cut off"):
        read_probes(probe()[:-20])


def full() -> str:
    """A probe in which most figures are known, with words that YAML would read otherwise."""
    return probe(
        node(gres="gpu:1g.5gb:7", features="no,1e3,a b", partitions="gpu,on"),
        partitions=(partition(), partition("on", default="NO", state="DRAIN", accounts="x")),
        associations=ASSOC + "lab|a|||normal|5|9|",
        qos=QOS + "normal||8|",
        singularity="singularity-ce version 4.1.0",
        host="g1",
    )


def test_the_yaml_says_what_the_data_say_and_the_schema_takes_it(tmp_path: Path) -> None:
    found = profile(full())
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters/lab.yaml").write_text(found.text(), encoding="utf-8")
    spec = tmp_path / "a.yaml"
    spec.write_text(
        "schema_version: 1\nname: a\nkind: command\nsettings: {argv: [x]}\ncluster: lab\n"
        "task: {estimate: 1min}\n",
        encoding="utf-8",
    )
    document = parse_spec(spec)
    assert validate(document) == ()
    assert document.profile == found.data()


def test_every_line_of_the_yaml_has_its_source() -> None:
    lines = [line for line in profile(full()).text().splitlines() if line != "partitions:"]
    assert [line for line in lines if "#" not in line] == []


def test_every_field_of_the_schema_is_told_of() -> None:
    schema = resources.schema("cluster")
    Draft202012Validator.check_schema(schema)
    text = profile(full()).text()
    fields = {*schema["properties"]["partitions"]["items"]["properties"], *schema["properties"]}
    assert [f for f in sorted(fields - {"limits", "description"}) if f"{f}:" not in text] == []


def test_control_characters_in_names_leave_the_profile_readable() -> None:
    text = probe(partitions=(partition(), partition("b\x1b[31m")), host="log\x07in")
    written = profile(text).text()
    assert all(letter.isprintable() or letter == "\n" for letter in written)
    assert "# partition b?[31m is left out: it has no nodes" in written
