"""Bad archives: hostile members, wrong checksums, cut short. Each gets one clear line, and nothing else changes."""

import re
import tarfile
from pathlib import Path

import pytest
from refusals import HEADER, member_of, tar_gz

_HOSTILE = [
    member_of("/tmp/oidl-was-here.csv"),
    member_of("../../oidl-was-here.csv"),
    member_of("2017_11/../../oidl-was-here.csv"),
    member_of("2017_11/link.csv", tarfile.SYMTYPE, "/etc/passwd"),
    member_of("2017_11/link.csv", tarfile.LNKTYPE, "/etc/passwd"),
    member_of("2017_11/device.csv", tarfile.CHRTYPE),
    member_of("2017_11/pipe.csv", tarfile.FIFOTYPE),
]


_each_hostile = pytest.mark.parametrize("member", _HOSTILE, ids=lambda member: f"{member.name}-{member.type!r}")


@_each_hostile
def test_a_hostile_member_of_a_list_archive(member: tarfile.TarInfo, refused, fine, list_of, root) -> None:
    good = HEADER + b"".join(fine.rows()["train"])
    packed = tar_gz([(member_of("2017_11/train/images.csv"), good), (member, b"")])
    refused(4, "--images-csv", list_of(packed, "list.tar.gz"), names=f"its member {member.name!r}")
    assert not root.exists()
    assert not Path("/tmp/oidl-was-here.csv").exists()


@_each_hostile
def test_a_hostile_member_of_an_annotation_archive(
    member: tarfile.TarInfo, fine, served_archive, refused, ask, root: Path, tree
) -> None:
    packed = tar_gz([(member_of("2017_11/train/good.csv"), b"a,b\n"), (member, b"")])
    served_archive(fine.annotations_path, packed)
    refused(4, names=f"its member {member.name!r}")
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert ask("SELECT count(*) FROM archive WHERE name LIKE 'annotations%'") == [(0,)]
    assert not [path for path in tree(root) if "good.csv" in path or "oidl-was-here" in path or ".part" in path]
    assert not Path("/tmp/oidl-was-here.csv").exists()


@pytest.mark.parametrize("archive", ["list_path", "annotations_path"])
@pytest.mark.parametrize(("key", "wrong"), [("md5", '"00000000000000000000000000000000"'), ("bytes", "77")])
def test_a_wrong_checksum(archive: str, key: str, wrong: str, fine, refused, ask, root: Path, tree) -> None:
    path = getattr(fine, archive)
    name = path.rpartition("/")[2]
    before, entry, after = fine.catalogue.read_text().partition(f'name = "{name}"')
    right = re.search(rf'{key} = ([\w"]+)', after)[1]
    fine.catalogue.write_text(before + entry + re.sub(rf'{key} = [\w"]+', f"{key} = {wrong}", after, count=1))
    said = refused(4, names=f"{name} is not the published file: expected ")
    assert said.index(wrong.strip('"')) < said.index("got") < said.index(right.strip('"'), said.index("got"))
    if archive == "list_path":
        assert not root.exists()
        return
    assert ask("SELECT count(*) FROM archive WHERE name = ?", name) == [(0,)]
    unfinished = ("images-", "oidl.sqlite3", "class-")
    assert not [
        path for path in tree(root) if not path.rpartition("/")[2].startswith(unfinished) and ".jpg" not in path
    ]


def test_an_archive_that_is_cut_short_and_vouched_for(fine, served_archive, refused, ask, root: Path) -> None:
    served_archive(fine.annotations_path, fine.site.answers[fine.annotations_path].body.read_bytes()[:-40])
    refused(4, names="annotations_human_demo.tar.gz is damaged or cut short")
    assert ask("SELECT count(*) FROM archive WHERE name LIKE 'annotations%'") == [(0,)]
    assert not (root / "2017_11/train/annotations-human.csv").exists()
    assert not (root / ".oidl-unpacking").exists()
